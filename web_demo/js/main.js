// Where the page starts: language, shelf and bundle, then one view after the other.

import { openBundle } from "./bundle.js";
import { el } from "./dom.js";
import { Fault } from "./fault.js";
import { STRINGS, chooseLanguage, language, languageTag, setLanguage, t } from "./language.js";
import { Notice } from "./notice.js";
import { keepForOffline } from "./offline.js";
import { ReadingListImport } from "./reading_lists/import.js";
import { BookRanker } from "./ranker.js";
import { BookRecommender } from "./recommender.js";
import { Reranking } from "./reranking.js";
import { TitleSearch } from "./search.js";
import { Shelf, localStorageOrNull } from "./shelf.js";
import { aboutView } from "./views/about.js";
import { bookView } from "./views/book.js";
import { faultView } from "./views/fault.js";
import { forYouView } from "./views/for_you.js";
import { shelfView } from "./views/shelf.js";

/**
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./page.js").Page} Page
 */

/** The folder of the page. Whatever it keeps is kept by this: two bookshops on a host are two. */
const HOME = new URL("..", import.meta.url);
const LANGUAGE_KEY = `kd_tf language ${HOME.pathname}`;
const RERANKING_KEY = `kd_tf reranking ${HOME.pathname}`;

const storage = localStorageOrNull();
const shelf = new Shelf(storage, `kd_tf shelf ${HOME.pathname}`);
const main = byId("main");
const notice = new Notice(byId("notice"), () => {
  if (shelf.undo()) notice.say(t("notice.undone"));
  else notice.close();
});

/** @type {Page | null} */
let page = null;
/** @type {unknown} What kept the bundle from being opened. */
let fault = null;
/** Ends with the view that is shown. */
let current = new AbortController();

await start();

async function start() {
  const chosen = stored(LANGUAGE_KEY);
  speak(chosen in STRINGS ? chosen : chooseLanguage(navigator.languages));
  try {
    const bundle = await openBundle(new URL("bundle/", HOME));
    const litert = new URL("litert/", HOME);
    const recommender = await BookRecommender.open(bundle, litert);
    const ranker = bundle.ranker && (await BookRanker.open(bundle.ranker, bundle.books, litert));
    /** @type {TitleSearch | null} Made when something is typed. */
    let search = null;
    page = {
      bundle,
      recommender,
      reranking: ranker && new Reranking(ranker, storage, RERANKING_KEY),
      shelf,
      importer: new ReadingListImport(bundle.books, shelf),
      notice,
      search: () => (search ??= new TitleSearch(bundle.books)),
    };
  } catch (error) {
    console.error(error);
    fault = error;
  }
  // Said in the address, so that the first book on the shelf does not move the reader elsewhere.
  if (!location.hash) history.replaceState(null, "", homeOf());
  addEventListener("hashchange", () => show(true));
  byId("skip").addEventListener("click", (event) => {
    // The address names a view; it stays.
    event.preventDefault();
    main.focus();
  });
  await show(false);
  if (!page) return;
  tellOfShelf(page);
  acceptDrops(page);
  addEventListener("storage", (event) => {
    // Null where the other tab cleared everything.
    if (event.key === shelf.key || event.key === null) shelf.reload();
  });
  shelf.addEventListener("change", tellOnceIfUnsaved);
  page.importer.addEventListener("change", offerToUndoImport);
  performance.mark("first view");
  // Ready before the first letter is typed.
  setTimeout(page.search);
  await keepForOffline((takeOver) => {
    notice.say(t("notice.update"), { action: { label: t("notice.reload"), act: takeOver } });
  });
}

/**
 * Shows the view that the address names.
 *
 * @param {boolean} isMove Whether the reader went there: then the heading takes the focus.
 */
async function show(isMove) {
  // The language can be changed while the bundle is being opened.
  if (!page && fault === null) return;
  current.abort();
  current = new AbortController();
  const { signal } = current;
  let view = page ? viewOf(location.hash)(page, signal) : faultView(fault, shelf);
  try {
    await view.ready;
  } catch (error) {
    // The model failed where it had not failed before.
    console.error(error);
    view = faultView(error, shelf);
  }
  if (signal.aborted) return;
  main.replaceChildren(view.node);
  main.removeAttribute("aria-busy");
  document.title = `${view.title} · ${t("page.title")}`;
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.getAttribute("href") === location.hash;
    link.toggleAttribute("aria-current", isHere);
    if (isHere) link.setAttribute("aria-current", "page");
  }
  if (!isMove) return;
  scrollTo(0, 0);
  main.querySelector("h1")?.focus();
}

/** @param {string} hash */
function viewOf(hash) {
  const [, name, argument] = hash.split("/");
  if (name === "for-you") return forYouView;
  if (name === "about") return aboutView;
  if (name === "book") return bookView(decoded(argument ?? ""));
  return shelfView;
}

/** Whoever comes back wants to know what is next; a newcomer has a shelf to fill. */
function homeOf() {
  return shelf.books.length ? "#/for-you" : "#/shelf";
}

/** @param {Language | string} chosen */
function speak(chosen) {
  setLanguage(/** @type {Language} */ (chosen));
  document.documentElement.lang = languageTag();
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = t(/** @type {HTMLElement} */ (node).dataset.text ?? "");
  }
  byId("navigation").setAttribute("aria-label", t("page.navigation"));
  byId("languages").setAttribute("aria-label", t("page.language"));
  const names = /** @type {const} */ ([
    ["en", "en", "EN"],
    ["zh", "zh-Hans", "中文"],
  ]);
  byId("languages").replaceChildren(
    ...names.map(([code, tag, name]) =>
      el(
        "button",
        {
          type: "button",
          lang: tag,
          "aria-pressed": String(language() === code),
          on: { click: () => changeLanguage(code) },
        },
        name,
      ),
    ),
  );
}

/** @param {Language} chosen */
async function changeLanguage(chosen) {
  try {
    storage?.setItem(LANGUAGE_KEY, chosen);
  } catch {
    // It holds until the page is closed.
  }
  notice.close();
  speak(chosen);
  /** @type {HTMLElement | null} */ (
    document.querySelector('#languages [aria-pressed="true"]')
  )?.focus();
  await show(false);
}

/** @param {Page} page */
function tellOfShelf({ bundle, notice }) {
  const gone = shelf.books.filter(({ id }) => !bundle.byItemId.has(id)).length;
  if (shelf.unreadable) notice.say(t("notice.unreadable"));
  else if (gone) notice.say(t("notice.gone", { n: gone }));
}

/** The listener of the shelf that tells of a browser that stores nothing. */
function tellOnceIfUnsaved() {
  if (!shelf.unsaved) return;
  shelf.removeEventListener("change", tellOnceIfUnsaved);
  // After what the page says of the change itself.
  setTimeout(() => notice.say(t("notice.unsaved")));
}

/** The listener of the import: what it added can be taken back as a whole. */
function offerToUndoImport() {
  const report = page?.importer.report;
  if (!report || report instanceof Fault) return;
  const { books, excluded } = report;
  if (books.length) notice.say(t("import.added", { n: books.length }), { undo: true });
  else if (excluded.length) notice.say(t("import.hidden", { n: excluded.length }), { undo: true });
}

/**
 * An exported reading list may be dropped anywhere.
 *
 * @param {Page} page
 */
function acceptDrops(page) {
  const veil = byId("drop");
  const hasFile = (/** @type {DragEvent} */ event) =>
    event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    // Between two elements of the page there is a next one; at its edge there is none.
    if (event.relatedTarget === null) veil.hidden = true;
  });
  addEventListener("drop", async (event) => {
    veil.hidden = true;
    if (!hasFile(event)) return;
    // Without this the browser would leave the page for the file.
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    if (location.hash !== "#/shelf") {
      history.pushState(null, "", "#/shelf");
      await show(true);
    }
    await page.importer.read(file);
  });
}

/** @param {string} key */
function stored(key) {
  try {
    return storage?.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

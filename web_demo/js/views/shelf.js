import {
  addBook,
  addButton,
  card,
  partOfList,
  removeButton,
  titleOf,
} from "../books.js";
import { el, refill } from "../dom.js";
import { t } from "../language.js";
import { hiddenOf, historyOf } from "../page.js";
import { SearchBox } from "../search_box.js";
import { importPanel } from "./import_panel.js";

/** @typedef {import("../page.js").Page} Page */

const SOME = 60;
const FOR_A_START = 6;

/** @type {import("../page.js").MakeView} */
export function shelfView(page, left) {
  const { bundle, shelf } = page;
  const box = new SearchBox(
    page.search,
    (book) => shelf.has(book.item_id),
    (book) => addBook(page, book),
  );
  const summary = el("p", { class: "lead" });
  const books = el("section", { "aria-labelledby": "heading" });
  let shown = SOME;
  let latest = 0;

  async function fill() {
    latest += 1;
    const turn = latest;
    const known = shelf.books.flatMap(({ id }) => bundle.byItemId.get(id) ?? []).reverse();
    const gone = shelf.books.filter(({ id }) => !bundle.byItemId.has(id)).reverse();
    const newest = page.recommender.maxLength;
    if (!known.length) summary.textContent = t("page.tagline");
    else if (known.length <= newest) summary.textContent = t("shelf.count", { n: known.length });
    else summary.textContent = t("shelf.newest", { n: known.length, newest });
    const start = known.length
      ? []
      : await page.recommender.recommend(historyOf(page), hiddenOf(page));
    // The shelf changed meanwhile, or the view was left.
    if (turn !== latest || left.aborted) return;
    refill(books, [
      ...(known.length
        ? partOfList(
            known,
            shown,
            (book) => card(page, book, removeButton(page, book)),
            () => {
              shown += SOME;
              fill();
            },
            { class: "grid", "aria-label": t("shelf.books") },
          )
        : [
            el(
              "div",
              { class: "empty-state" },
              el("h2", {}, t("shelf.empty")),
              el("p", {}, t("shelf.empty.hint")),
            ),
            el("h2", { id: "start" }, t("shelf.start")),
            el(
              "ul",
              { role: "list", class: "grid", "aria-labelledby": "start" },
              ...start.slice(0, FOR_A_START).map(({ id }) => {
                const book = bundle.books[id - 1];
                return card(page, book, addButton(page, book));
              }),
            ),
          ]),
      ...(gone.length ? keptAside(page, gone) : []),
    ]);
  }

  shelf.addEventListener("change", fill, { signal: left });
  const node = el(
    "div",
    { class: "view" },
    el("h1", { id: "heading", tabindex: "-1" }, t("shelf.title")),
    summary,
    box.node,
    books,
    importPanel(page, left),
  );
  return { title: t("shelf.title"), node, ready: fill() };
}

/**
 * Books of the shelf that the catalogue does not have.
 *
 * @param {Page} page
 * @param {import("../shelf.js").ShelfBook[]} books
 */
function keptAside(page, books) {
  return [
    el("h2", { id: "aside" }, t("shelf.gone")),
    el("p", {}, t("shelf.gone.hint")),
    el(
      "ul",
      { role: "list", class: "rows", "aria-labelledby": "aside" },
      ...books.map((book) =>
        el(
          "li",
          {},
          el("span", {}, [titleOf(book), book.authors].filter(Boolean).join(" · ")),
          removeButton(page, { ...book, item_id: book.id, id: 0 }),
        ),
      ),
    ),
  ];
}

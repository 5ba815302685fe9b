import {
  addButton,
  byline,
  cover,
  hideButton,
  newMark,
  partOfList,
  quoted,
  showButton,
  titleLink,
} from "../books.js";
import { el, refill } from "../dom.js";
import { list, number, t } from "../language.js";
import { hiddenOf, historyOf } from "../page.js";
import { sharedTraits } from "../shared_traits.js";

/**
 * @typedef {import("../bundle.js").Book} Book
 * @typedef {import("../page.js").Page} Page
 * @typedef {{ book: Book, score: number, prediction?: number, because: Book[] }} Row
 */

const SOME = 10;
/** So many books of the shelf are named for a recommendation at most. */
const REASONS = 3;
/** Percent of the bar of the last book: the list's own scale, for scores have no zero. */
const SHORTEST = 12;
const TWO_DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

/** @type {import("../page.js").MakeView} */
export function forYouView(page, left) {
  const { bundle, recommender, reranking, shelf } = page;
  const summary = el("p", { class: "lead" });
  const part = el("section", { "aria-labelledby": "heading" });
  let shown = SOME;
  let latest = 0;

  async function fill() {
    latest += 1;
    const turn = latest;
    const history = historyOf(page);
    const recommended = await recommender.recommend(history, hiddenOf(page));
    /** @type {import("../reranking.js").Ranked[]} */
    const found = reranking ? await reranking.rerank(recommended, history) : recommended;
    const explains = history.length > 0 && recommender.has("explain");
    /** @type {Row[]} */
    const rows = [];
    for (const { id, score, prediction } of found.slice(0, shown)) {
      const reasons = explains ? await recommender.explain(history, id, REASONS) : [];
      const because = reasons.map((reason) => bundle.books[reason.id - 1]);
      rows.push({ book: bundle.books[id - 1], score, prediction, because });
    }
    // The shelf changed meanwhile, or the view was left.
    if (turn !== latest || left.aborted) return;
    summary.replaceChildren(
      history.length ? t("forYou.from", { n: history.length }) : t("forYou.nobody"),
      " ",
      el("a", { href: "#/shelf" }, t("forYou.toShelf")),
    );
    const scores = found.map(({ score, prediction }) => prediction ?? score);
    const scale = { best: scores[0], worst: scores.at(-1) ?? 0 };
    refill(part, [
      reranking?.isOn &&
        found.length > 0 &&
        el(
          "p",
          { class: "small reranked" },
          t("forYou.reranked", { n: found.length }),
          " ",
          el("a", { href: "#/about" }, t("forYou.reranked.about")),
        ),
      ...(rows.length
        ? partOfList(
            found,
            shown,
            (_, place) => recommendation(page, rows[place], scale),
            () => {
              shown = found.length;
              fill();
            },
            { class: "recommendations", "aria-labelledby": "heading" },
            "ol",
          )
        : [el("p", { class: "empty-state" }, t("forYou.none"))]),
      hiddenBooks(page, part),
    ]);
  }

  shelf.addEventListener("change", fill, { signal: left });
  const node = el(
    "div",
    { class: "view" },
    el("h1", { id: "heading", tabindex: "-1" }, t("forYou.title")),
    summary,
    part,
  );
  return { title: t("forYou.title"), node, ready: fill() };
}

/**
 * @param {Page} page
 * @param {Row} row
 * @param {{ best: number, worst: number }} scale
 */
function recommendation(page, { book, score, prediction, because }, { best, worst }) {
  const bar = el("span", { class: "bar-filled" });
  const share = best > worst ? ((prediction ?? score) - worst) / (best - worst) : 1;
  bar.style.width = `${SHORTEST + share * (100 - SHORTEST)}%`;
  return el(
    "li",
    { class: "recommendation" },
    cover(book),
    el(
      "div",
      { class: "recommendation-text" },
      titleLink(book),
      newMark(book),
      byline(book),
      el(
        "p",
        { class: "score" },
        el("span", { class: "bar", "aria-hidden": "true" }, bar),
        el(
          "span",
          { class: "score-number" },
          t("forYou.score", { score: number(score, TWO_DIGITS) }),
        ),
        prediction !== undefined &&
          el("span", { class: "score-number prediction" }, predictionText(page, prediction)),
      ),
      because.length > 0 &&
        el("p", { class: "because" }, t("forYou.because", { books: list(because.map((one) => reason(book, one))) })),
    ),
    el("div", { class: "actions" }, addButton(page, book), hideButton(page, book)),
  );
}

/**
 * @param {Page} page
 * @param {number} prediction
 */
function predictionText(page, prediction) {
  if (page.reranking?.kind === "rating") {
    return t("forYou.rating", { rating: number(prediction, TWO_DIGITS) });
  }
  return t("forYou.chance", {
    chance: number(prediction, { style: "percent", maximumFractionDigits: 1 }),
  });
}

/**
 * A book of the shelf, and in brackets what it shares with the recommended one.
 *
 * @param {Book} book
 * @param {Book} read
 */
function reason(book, read) {
  const { authors, sameSeries, words } = sharedTraits(book, read);
  const shared = [
    authors.length > 0 && t("reason.author", { n: authors.length }),
    sameSeries && t("reason.series"),
    words.length > 0 && t("reason.words", { words: list(words) }),
  ].filter((one) => one !== false);
  if (!shared.length) return quoted(read);
  return t("reason.shared", { book: quoted(read), traits: shared.join(t("reason.and")) });
}

/**
 * @param {Page} page
 * @param {HTMLElement} part What it will stand in, open or closed as it is there now.
 */
function hiddenBooks(page, part) {
  const books = page.shelf.hidden.flatMap(({ id }) => page.bundle.byItemId.get(id) ?? []);
  if (!books.length) return null;
  return el(
    "details",
    { class: "hidden-books", open: part.querySelector("details")?.open ?? false },
    el("summary", {}, t("forYou.hidden", { n: books.length })),
    el(
      "ul",
      { role: "list", class: "rows" },
      ...books.map((book) => el("li", {}, titleLink(book), showButton(page, book))),
    ),
  );
}

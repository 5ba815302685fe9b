import { addButton, card, cover, newMark, removeButton, titleOf } from "../books.js";
import { el, refill } from "../dom.js";
import { t } from "../language.js";

/**
 * @typedef {import("../bundle.js").Book} Book
 * @typedef {import("../page.js").Page} Page
 */

const SIMILAR = 12;

/**
 * @param {string} itemId
 * @returns {import("../page.js").MakeView}
 */
export function bookView(itemId) {
  return (page, left) => {
    const book = page.bundle.byItemId.get(itemId);
    return book ? knownBook(page, left, book) : unknownBook();
  };
}

/**
 * @param {Page} page
 * @param {AbortSignal} left
 * @param {Book} book
 * @returns {import("../page.js").View}
 */
function knownBook(page, left, book) {
  const { shelf } = page;
  const actions = el("div", { class: "actions" });
  const similar = el("section", { "aria-labelledby": "similar" });

  function fillActions() {
    const isOnShelf = shelf.has(book.item_id);
    const hadFocus = actions.contains(document.activeElement);
    refill(actions, [
      isOnShelf && el("span", { class: "badge" }, t("book.onShelf")),
      isOnShelf ? removeButton(page, book) : addButton(page, book),
    ]);
    // One button takes the other's place, and the keyboard stays with it.
    if (hadFocus) actions.querySelector("button")?.focus();
  }

  async function fillSimilar() {
    const found = page.recommender.has("similar") ? await page.recommender.similar(book.id) : [];
    if (left.aborted) return;
    refill(similar, [
      el("h2", { id: "similar" }, t("details.similar")),
      found.length
        ? el(
            "ul",
            { role: "list", class: "grid", "aria-labelledby": "similar" },
            ...found.slice(0, SIMILAR).map(({ id }) => {
              const other = page.bundle.books[id - 1];
              const isOnShelf = shelf.has(other.item_id);
              return card(page, other, (isOnShelf ? removeButton : addButton)(page, other));
            }),
          )
        : el("p", {}, t("details.noSimilar")),
    ]);
  }

  shelf.addEventListener("change", fillActions, { signal: left });
  shelf.addEventListener("change", fillSimilar, { signal: left });
  fillActions();
  const facts = [
    ["details.series", book.series],
    ["details.genre", book.genre],
    ["details.year", book.year],
    ["details.isbn", book.isbn],
    ["details.id", book.item_id],
  ].filter(([, value]) => value != null && value !== "");
  const node = el(
    "div",
    { class: "view" },
    el(
      "article",
      { class: "book" },
      cover(book),
      el(
        "div",
        { class: "book-text" },
        el("h1", { id: "heading", tabindex: "-1" }, titleOf(book)),
        newMark(book),
        book.authors && el("p", { class: "lead" }, book.authors),
        actions,
        book.text && el("p", { class: "blurb" }, book.text),
        el(
          "dl",
          { class: "facts" },
          ...facts.map(([label, value]) =>
            el("div", {}, el("dt", {}, t(String(label))), el("dd", {}, String(value))),
          ),
        ),
      ),
    ),
    similar,
  );
  return { title: titleOf(book), node, ready: fillSimilar() };
}

/** @returns {import("../page.js").View} */
function unknownBook() {
  return {
    title: t("details.unknown"),
    node: el(
      "div",
      { class: "view" },
      el("h1", { id: "heading", tabindex: "-1" }, t("details.unknown")),
      el("p", { class: "lead" }, t("details.unknown.hint")),
    ),
  };
}

// How a book looks and what one can do with it, in every view alike.

import { el } from "./dom.js";
import { t } from "./language.js";

/**
 * @typedef {import("./bundle.js").Book} Book
 * @typedef {import("./page.js").Page} Page
 * @typedef {import("./shelf.js").ShelfBook} ShelfBook
 */

/** How many cloths style.css binds books in. */
const CLOTHS = 8;

/** @param {{ title?: string, item_id?: string, id?: string | number }} book */
export function titleOf(book) {
  return book.title?.trim() || t("book.untitled", { id: book.item_id ?? String(book.id) });
}

/**
 * A title within a sentence, without the series in brackets.
 *
 * @param {Book} book
 */
export function quoted(book) {
  return t("book.quoted", { title: shortTitleOf(book) });
}

/** @param {Book} book */
function shortTitleOf(book) {
  return titleOf(book).replace(/ \([^()]*\)$/, "");
}

/** @param {Book} book */
export function addressOf(book) {
  return `#/book/${encodeURIComponent(book.item_id)}`;
}

/**
 * @param {Book} book
 * @returns {ShelfBook}
 */
export function shelfBook(book) {
  return { id: book.item_id, title: book.title, authors: book.authors };
}

/**
 * A cover made of the title, always the same for the same book. The catalogue's own covers lie on other
 * computers, which the page never asks.
 *
 * @param {Book} book
 */
export function cover(book) {
  // The link beside it says the title; heard twice it would be in the way.
  return el(
    "span",
    { class: `cover cloth-${clothOf(book)}`, "aria-hidden": "true" },
    el("span", { class: "cover-title" }, shortTitleOf(book)),
    el("span", { class: "cover-author" }, book.authors?.split(/[,;/&]/)[0].trim()),
  );
}

/**
 * FNV-1a, for ids that differ in little must not all look the same.
 *
 * @param {Book} book
 */
function clothOf(book) {
  let hash = 2_166_136_261;
  for (const character of book.item_id) {
    hash = Math.imul(hash ^ /** @type {number} */ (character.codePointAt(0)), 16_777_619);
  }
  return (hash >>> 16) % CLOTHS;
}

/** @param {Book} book */
export function titleLink(book) {
  return el("a", { class: "book-title", href: addressOf(book) }, titleOf(book));
}

/**
 * Marks a book that is recommended for what it is about alone.
 *
 * @param {Book} book
 */
export function newMark(book) {
  return book.new ? el("span", { class: "badge new", title: t("book.new.hint") }, t("book.new")) : null;
}

/** @param {{ authors?: string, year?: number }} book */
export function byline({ authors, year }) {
  const text = [authors, year].filter(Boolean).join(" · ");
  return text ? el("p", { class: "book-authors" }, text) : null;
}

/**
 * @param {Page} page
 * @param {Book} book
 */
export function addButton(page, book) {
  return actionButton("add", book, "button primary", () => addBook(page, book));
}

/**
 * @param {Page} page
 * @param {Book} book
 */
export function removeButton(page, book) {
  return actionButton("remove", book, "button quiet", () => {
    page.shelf.remove(book.item_id);
    page.notice.say(t("book.removed", { title: quoted(book) }), { undo: true });
  });
}

/**
 * @param {Page} page
 * @param {Book} book
 */
export function hideButton(page, book) {
  return actionButton("hide", book, "button quiet", () => {
    page.shelf.hide(shelfBook(book));
    page.notice.say(t("book.hidden", { title: quoted(book) }), { undo: true });
  });
}

/**
 * @param {Page} page
 * @param {Book} book
 */
export function showButton(page, book) {
  return actionButton("show", book, "button quiet", () => {
    page.shelf.unhide(book.item_id);
    page.notice.say(t("book.shown", { title: quoted(book) }), { undo: true });
  });
}

/**
 * @param {Page} page
 * @param {Book} book
 */
export function addBook(page, book) {
  const isNew = !page.shelf.has(book.item_id);
  if (isNew) page.shelf.add([shelfBook(book)]);
  page.notice.say(t("book.added", { title: quoted(book) }), { undo: isNew });
}

/**
 * A book as a card of a grid.
 *
 * @param {Page} page
 * @param {Book} book
 * @param {...Node} actions
 */
export function card(page, book, ...actions) {
  return el(
    "li",
    { class: "card" },
    cover(book),
    el(
      "div",
      { class: "card-text" },
      titleLink(book),
      newMark(book),
      byline({ authors: book.authors }),
    ),
    el("div", { class: "actions" }, ...actions),
  );
}

/**
 * A long list, some at a time: ten thousand cards at once would stop the page for seconds.
 *
 * @template Item
 * @param {Item[]} items
 * @param {number} count How many are shown.
 * @param {(item: Item, place: number) => Node} show
 * @param {() => void} more Called for more.
 * @param {Record<string, unknown>} attributes Of the list.
 * @param {"ol" | "ul"} [tag]
 * @returns {import("./dom.js").Child[]}
 */
export function partOfList(items, count, show, more, attributes, tag = "ul") {
  return [
    // "list" is said again: Safari takes it away from lists without bullets.
    el(tag, { role: "list", ...attributes }, ...items.slice(0, count).map(show)),
    items.length > count &&
      el(
        "button",
        { class: "button more", type: "button", data: { action: "more" }, on: { click: more } },
        t("list.more"),
      ),
  ];
}

/**
 * @param {"add" | "remove" | "hide" | "show"} action
 * @param {Book} book
 * @param {string} look
 * @param {() => void} act
 */
function actionButton(action, book, look, act) {
  return el(
    "button",
    {
      class: look,
      type: "button",
      "aria-label": t(`book.${action}.of`, { title: titleOf(book) }),
      data: { action, id: book.item_id },
      on: { click: act },
    },
    t(`book.${action}`),
  );
}

// Which book of the catalogue a row of an export means. The rules are those of
// tests/goodreads/README.md, which every importer of kd_tf keeps.

import { plain } from "../text.js";
import { isbn13 } from "./isbn.js";

/**
 * @typedef {import("../bundle.js").Book} Book
 * @typedef {import("./export.js").ExportRow} ExportRow
 *
 * @typedef {object} Imported
 * @property {number} rows
 * @property {Book[]} books New for the shelf, oldest first.
 * @property {number} already Rows whose book stood on the shelf before.
 * @property {number} repeated Rows whose book an earlier row gave.
 * @property {number} unread Rows that were not read yet.
 * @property {{ title: string, author: string }[]} unmatched In the order of the file.
 */

/** The catalogue, ready for looking up. */
export class CatalogIndex {
  /** @type {Map<string, Book>} */ #byIsbn = new Map();
  /** @type {Map<string, Book[]>} */ #byTitle = new Map();
  /** @type {Map<string, Book[]>} Books with a subtitle, by what stands before it. */
  #bySubtitled = new Map();
  /** @type {Map<Book, string[][]>} */ #authors = new Map();

  /** @param {Book[]} books In the order of their ids. */
  constructor(books) {
    for (const book of books) {
      if (book.isbn && !this.#byIsbn.has(book.isbn)) this.#byIsbn.set(book.isbn, book);
      const { whole, beforeSubtitle } = titleForms(book.title ?? "");
      if (whole) group(this.#byTitle, whole, book);
      if (beforeSubtitle) group(this.#bySubtitled, beforeSubtitle, book);
    }
  }

  /**
   * @param {ExportRow} row
   * @returns {Book | null}
   */
  find(row) {
    for (const text of [row.isbn13, row.isbn]) {
      const number = isbn13(text);
      const book = number && this.#byIsbn.get(number);
      if (book) return book;
    }
    const { whole, beforeSubtitle } = titleForms(row.title);
    const names = splitNames(`${row.author},${row.additionalAuthors}`);
    if (!whole || !names.length) return null;
    const fits = (/** @type {Book} */ book) =>
      this.#authorsOf(book).some((one) => names.some((other) => sameName(one, other)));
    const same = (this.#byTitle.get(whole) ?? []).find(fits);
    if (same) return same;
    const near = [
      ...((beforeSubtitle && this.#byTitle.get(beforeSubtitle)) || []),
      ...(this.#bySubtitled.get(whole) ?? []),
    ].filter(fits);
    return near.sort((one, other) => one.id - other.id)[0] ?? null;
  }

  /** @param {Book} book */
  #authorsOf(book) {
    let names = this.#authors.get(book);
    if (!names) {
      names = splitNames(book.authors ?? "");
      this.#authors.set(book, names);
    }
    return names;
  }
}

/**
 * @param {ExportRow[]} rows
 * @param {CatalogIndex} index
 * @param {Set<string>} onShelf Item ids.
 * @returns {Imported}
 */
export function matchRows(rows, index, onShelf) {
  const read = rows.filter((row) => row.isRead);
  const found = new Map(read.map((row) => [row, index.find(row)]));
  /** @type {Set<Book>} */
  const books = new Set();
  let already = 0;
  let repeated = 0;
  // Sorting is stable: rows of the same date keep the order of the file.
  for (const row of [...read].sort((one, other) => one.date - other.date)) {
    const book = found.get(row);
    if (!book) continue;
    if (onShelf.has(book.item_id)) already += 1;
    else if (books.has(book)) repeated += 1;
    else books.add(book);
  }
  return {
    rows: rows.length,
    books: [...books],
    already,
    repeated,
    unread: rows.length - read.length,
    unmatched: read
      .filter((row) => !found.get(row))
      .map(({ title, author }) => ({ title, author })),
  };
}

/**
 * @param {string} title
 * @returns {{ whole: string, beforeSubtitle: string }} The latter is empty without a subtitle.
 */
function titleForms(title) {
  let text = title.normalize("NFKD").trim();
  const bracket = text.endsWith(")") ? text.lastIndexOf(" (") : -1;
  if (bracket > 0) text = text.slice(0, bracket);
  const colon = text.indexOf(":");
  return {
    whole: withoutArticle(plain(text)),
    beforeSubtitle: colon < 0 ? "" : withoutArticle(plain(text.slice(0, colon))),
  };
}

/** @param {string} title */
function withoutArticle(title) {
  return title.replace(/^(the|a|an) /, "");
}

/**
 * @param {string} names
 * @returns {string[][]} The words of each name but for initials.
 */
function splitNames(names) {
  return names
    .split(/[,;/&]/)
    .map((name) =>
      plain(name)
        .split(" ")
        .filter((word) => [...word].length > 1),
    )
    .filter((words) => words.length > 0);
}

/**
 * @param {string[]} one
 * @param {string[]} other
 */
function sameName(one, other) {
  const [few, many] = [new Set(one), new Set(other)].sort((a, b) => a.size - b.size);
  if (![...few].every((word) => many.has(word))) return false;
  return few.size === many.size || one.at(-1) === other.at(-1);
}

/**
 * @param {Map<string, Book[]>} groups
 * @param {string} key
 * @param {Book} book
 */
function group(groups, key, book) {
  const books = groups.get(key);
  if (books) books.push(book);
  else groups.set(key, [book]);
}

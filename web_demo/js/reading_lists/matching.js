// Which book of the catalogue an entry of a reading list means. The rules are those of
// tests/reading_lists/README.md.

import { MAX_LENGTH, isLonger, plain } from "../text.js";

/**
 * @typedef {import("../bundle.js").Book} Book
 * @typedef {import("./read.js").Entry} Entry
 * @typedef {import("./read.js").ReadingList} ReadingList
 *
 * @typedef {object} Imported
 * @property {import("./formats.js").Format} format
 * @property {number} rows
 * @property {Book[]} books New for the shelf, oldest first.
 * @property {Book[]} excluded Not to be recommended: rated low, abandoned or being read.
 * @property {number} already Rows whose book stood on the shelf before.
 * @property {number} repeated Rows whose book an earlier row gave.
 * @property {number} unread Rows that were not read yet.
 * @property {number} abandoned
 * @property {number} lowRated
 * @property {number} assumed Rows of which nothing says that they were read, nor that they were not.
 * @property {number} unclearDates
 * @property {{ title: string, author: string }[]} unmatched In the order of the file.
 */

/** Of 5; books that are rated lower do not join the shelf. */
const LOWEST_RATING = 3;

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
   * @param {Entry} entry
   * @returns {Book | null}
   */
  find(entry) {
    for (const isbn of entry.isbns) {
      const book = this.#byIsbn.get(isbn);
      if (book) return book;
    }
    const { whole, beforeSubtitle } = titleForms(entry.title);
    const names = splitNames(entry.authors);
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
 * @param {ReadingList} list
 * @param {CatalogIndex} index
 * @param {Set<string>} onShelf Item ids.
 * @returns {Imported}
 */
export function matchReadingList(list, index, onShelf) {
  const { format, entries, unclearDates } = list;
  const isHistory = (/** @type {Entry} */ { status, rating }) =>
    status === "read" && (rating === 0 || rating >= LOWEST_RATING);
  const history = entries.filter(isHistory);
  const found = new Map(history.map((entry) => [entry, index.find(entry)]));
  /** @type {Set<Book>} */
  const books = new Set();
  let already = 0;
  let repeated = 0;
  // Sorting is stable: without dates, rows keep the order of the file or the reverse.
  const inOrder = format.isNewestFirst ? [...history].reverse() : [...history];
  for (const entry of inOrder.sort((one, other) => one.date - other.date)) {
    const book = found.get(entry);
    if (!book) continue;
    if (onShelf.has(book.item_id)) already += 1;
    else if (books.has(book)) repeated += 1;
    else books.add(book);
  }
  const excluded = entries
    .filter((entry) => entry.status !== "to-read" && !isHistory(entry))
    .flatMap((entry) => index.find(entry) ?? [])
    .filter((book) => !books.has(book) && !onShelf.has(book.item_id));
  const count = (/** @type {(entry: Entry) => boolean} */ fits) => entries.filter(fits).length;
  return {
    format,
    rows: entries.length,
    books: [...books],
    excluded: [...new Set(excluded)],
    already,
    repeated,
    unread: count(({ status }) => status === "to-read" || status === "reading"),
    abandoned: count(({ status }) => status === "abandoned"),
    lowRated: count(({ status }) => status === "read") - history.length,
    assumed: count(({ isAssumed }) => isAssumed),
    unclearDates,
    unmatched: history
      .filter((entry) => !found.get(entry))
      .map(({ title, author }) => ({ title, author })),
  };
}

/**
 * @param {string} title
 * @returns {{ whole: string, beforeSubtitle: string }} The latter is empty without a subtitle.
 */
function titleForms(title) {
  if (isLonger(title, MAX_LENGTH)) return { whole: "", beforeSubtitle: "" };
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
    .replace(/\([^()]*\)/g, " ")
    .split(/[,;/&|]/)
    .filter((name) => !isLonger(name, MAX_LENGTH))
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

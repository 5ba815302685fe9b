// Suggestions while a reader types.

import { plain } from "./text.js";

/** @typedef {import("./bundle.js").Book} Book */

/** How well a book fits a query; smaller is better. */
const RANKS = { ID: 0, TITLE_BEGINS: 1, WORDS_OF_TITLE: 2, WORDS: 3, PARTS: 4, NONE: 5 };

/**
 * Finds books by the beginnings of words of titles and authors, in any order, without regard to
 * case and accents; by an id or ISBN typed in full; and, for scripts that put no spaces between words,
 * by parts of them.
 */
export class TitleSearch {
  /** @param {Book[]} books */
  constructor(books) {
    // A blank before every word, so that " be" finds words that begin with "be".
    this.rows = books.map((book) => {
      const title = ` ${plain(book.title ?? "")}`;
      const authors = ` ${plain(book.authors ?? "")}`;
      return { book, title, authors, all: title + authors };
    });
  }

  /**
   * @param {string} query
   * @param {number} limit
   * @returns {Book[]} Best first; those that fit alike in the catalogue's order.
   */
  find(query, limit) {
    const words = plain(query).split(" ").filter(Boolean);
    const id = query.trim();
    if (!id) return [];
    /** @type {Book[][]} */
    const found = Array.from({ length: RANKS.NONE }, () => []);
    for (const row of this.rows) {
      const rank =
        row.book.item_id === id || row.book.isbn === id ? RANKS.ID : rankOf(row, words);
      if (rank < RANKS.NONE && found[rank].length < limit) found[rank].push(row.book);
    }
    return found.flat().slice(0, limit);
  }
}

/**
 * @param {{ title: string, authors: string, all: string }} row
 * @param {string[]} words
 */
function rankOf({ title, authors, all }, words) {
  if (!words.length) return RANKS.NONE;
  // Most books end here.
  for (const word of words) if (!all.includes(word)) return RANKS.NONE;
  if (title.startsWith(` ${words.join(" ")}`)) return RANKS.TITLE_BEGINS;
  let rank = RANKS.WORDS_OF_TITLE;
  for (const word of words) {
    if (title.includes(` ${word}`)) continue;
    rank = Math.max(rank, authors.includes(` ${word}`) ? RANKS.WORDS : RANKS.PARTS);
  }
  return rank;
}

// What two books have in common, by the rules of tests/shared_traits/README.md; as
// `kd_tf.runtime.shared_traits` in Python.

import { isLonger, MAX_LENGTH, plain } from "./text.js";

/**
 * @typedef {{ authors: string[], sameSeries: boolean, words: string[] }} SharedTraits
 * @typedef {{ authors?: string | null, series?: string | null, words?: string | null }} Described
 */

/** Names of a list that count: lists of authors begin with the most important ones. */
const MAX_NAMES = 3;
const MAX_WORDS = 3;
/** Letters of Korean, as keys have them, of Chinese and Japanese, where a name is one word. */
const ONE_WORD_NAME = /^[\u1100-\u11ff\u2e80-\u{10ffff}]/u;

/**
 * @param {Described} book Whose names and order of words are taken.
 * @param {Described} other
 * @returns {SharedTraits}
 */
export function sharedTraits(book, other) {
  return {
    authors: sharedAuthors(book.authors ?? "", other.authors ?? ""),
    sameSeries: isSameSeries(book.series ?? "", other.series ?? ""),
    words: sharedWords(book.words ?? "", other.words ?? ""),
  };
}

/**
 * A name of one word, which may be the family name alone of "Oak, Ann", counts only if it is the
 * whole list of one of the books.
 *
 * @param {string} authors
 * @param {string} others
 */
function sharedAuthors(authors, others) {
  const otherKeys = new Set(namesOf(others).map(keyOf));
  const lists = [keyOf(authors), keyOf(others)];
  /** @type {Map<string, string>} */
  const shared = new Map();
  for (const name of namesOf(authors)) {
    const key = keyOf(name);
    const isWhole = lists.includes(key) || isFullName(key);
    if (key && otherKeys.has(key) && isWhole && !shared.has(key)) shared.set(key, name);
  }
  if (!shared.size && lists[0] && lists[0] === lists[1]) return [tidy(authors)];
  return [...shared.values()];
}

/**
 * A number at the end does not count.
 *
 * @param {string} series
 * @param {string} other
 */
function isSameSeries(series, other) {
  const [key, otherKey] = [series, other].map((one) => keyOf(one).replace(/(?: [0-9]+)+$/, ""));
  return key !== "" && key === otherKey;
}

/**
 * @param {string} words
 * @param {string} others
 */
function sharedWords(words, others) {
  const known = new Set(others.split(" "));
  const shared = [...new Set(words.split(" "))].filter((word) => word && known.has(word));
  return shared.slice(0, MAX_WORDS);
}

/**
 * The form in which names are compared; empty for one that is too long to be a name.
 *
 * @param {string} text
 */
function keyOf(text) {
  return isLonger(text, MAX_LENGTH) ? "" : plain(text);
}

/** @param {string} authors */
function namesOf(authors) {
  return authors
    .split(/[,;&]| and /)
    .map(tidy)
    .filter(Boolean)
    .slice(0, MAX_NAMES);
}

/** @param {string} text */
function tidy(text) {
  return text.trim().replace(/\s+/g, " ");
}

/** @param {string} key */
function isFullName(key) {
  const words = key.split(" ");
  const isOfInitials = words.every((word) => [...word].length === 1);
  return ONE_WORD_NAME.test(key) || (words.length > 1 && !isOfInitials);
}

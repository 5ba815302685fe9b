// The page's words in the reader's language.

import en from "./strings/en.js";
import zh from "./strings/zh.js";

/** @typedef {keyof typeof STRINGS} Language */

export const STRINGS = { en, zh };
const TAGS = { en: "en", zh: "zh-Hans" };

/** @type {Language} */
let current = "en";

/**
 * The first of the browser's languages that the page has; English where it has none.
 *
 * @param {readonly string[]} preferred
 * @returns {Language}
 */
export function chooseLanguage(preferred) {
  for (const tag of preferred) {
    const [name] = tag.toLowerCase().split("-");
    if (name in STRINGS) return /** @type {Language} */ (name);
  }
  return "en";
}

/** @param {Language} language */
export function setLanguage(language) {
  current = language;
}

export function language() {
  return current;
}

/** For the attribute `lang` and for `Intl`. */
export function languageTag() {
  return TAGS[current];
}

/**
 * @param {string} key With `n` among the values, "key.one" and "key.other" are chosen by the
 *   language's plural rules where it has them.
 * @param {Record<string, string | number>} [values] Fill the places in braces; numbers are written
 *   as the language writes them.
 * @returns {string}
 */
export function t(key, values = {}) {
  /** @type {Record<string, string>} */
  const strings = STRINGS[current];
  const plural = typeof values.n === "number" ? pluralOf(values.n) : "";
  const text = strings[`${key}.${plural}`] ?? strings[`${key}.other`] ?? strings[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : String(value);
  });
}

/** @param {string} key */
export function hasText(key) {
  return key in STRINGS[current];
}

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export function number(value, options) {
  return new Intl.NumberFormat(languageTag(), options).format(value);
}

/** @param {string[]} names */
export function list(names) {
  return new Intl.ListFormat(languageTag(), { type: "conjunction" }).format(names);
}

/** @param {number} n */
function pluralOf(n) {
  return new Intl.PluralRules(languageTag()).select(n);
}

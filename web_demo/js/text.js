// One form of a text for comparing: the letters and digits alone.

const MARKS = /\p{M}+/gu;
const NEITHER_LETTER_NOR_DIGIT = /[^\p{L}\p{Nd}]+/gu;

/** Characters of a title or a name that are compared. */
export const MAX_LENGTH = 500;

/**
 * @param {string} text
 * @param {number} length In characters, of which some are two units of the text.
 */
export function isLonger(text, length) {
  return text.length > 2 * length || (text.length > length && [...text].length > length);
}

/**
 * Lower case without accents, every run of other characters one space: "Café  Zoë!" is "cafe zoe".
 *
 * @param {string} text
 * @returns {string}
 */
export function plain(text) {
  return text
    .normalize("NFKD")
    .replace(MARKS, "")
    .toLowerCase()
    .replace(NEITHER_LETTER_NOR_DIGIT, " ")
    .trim();
}

// One form of a text for comparing: the letters and digits alone.

const MARKS = /\p{M}+/gu;
const NEITHER_LETTER_NOR_DIGIT = /[^\p{L}\p{Nd}]+/gu;

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

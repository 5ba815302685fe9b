/**
 * @param {string} cell As in an export: ="0439023483", [0439023483], or 0439023483, 9780439023481.
 * @returns {string[]} Those with the right check digit, as 13 digits.
 */
export function listIsbns(cell) {
  return cell.split(/[,;|]/).flatMap((text) => normalize(text) ?? []);
}

/** @param {string} text */
function normalize(text) {
  const digits = text.replace(/[="\s[\]\u2010-\u2015-]/g, "").toUpperCase();
  if (/^[0-9]{13}$/.test(digits)) return checkDigit(digits) === digits[12] ? digits : null;
  if (!/^[0-9]{9}[0-9X]$/.test(digits)) return null;
  let sum = 0;
  for (let place = 0; place < 10; place += 1) {
    sum += (10 - place) * (digits[place] === "X" ? 10 : Number(digits[place]));
  }
  if (sum % 11 !== 0) return null;
  const twelve = `978${digits.slice(0, 9)}`;
  return twelve + checkDigit(twelve);
}

/** @param {string} digits At least the first 12 of an ISBN-13. */
function checkDigit(digits) {
  let sum = 0;
  for (let place = 0; place < 12; place += 1) sum += Number(digits[place]) * (place % 2 ? 3 : 1);
  return String((10 - (sum % 10)) % 10);
}

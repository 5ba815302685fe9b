/**
 * @param {string} text As in an export: ="0439023483", 978-0-439-02348-1, 9780439023481.
 * @returns {string | null} 13 digits; null where the text is no ISBN or its check digit is wrong.
 */
export function isbn13(text) {
  const digits = text.replace(/[="\s-]/g, "").toUpperCase();
  if (/^\d{13}$/.test(digits)) return checkDigit(digits) === digits[12] ? digits : null;
  if (!/^\d{9}[\dX]$/.test(digits)) return null;
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

// How a single value of a row is read: null, a boolean, a number or a text. The rules are those of
// docs/reference/features.md; as `kd_tf.runtime.features.values` in Python.

/** A number as text, without blanks around it. */
const NUMBER = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
/** A number whose zeros at the end of the fraction do not count. */
const PLAIN_FRACTION = /^-?(?:0|[1-9][0-9]*)\.[0-9]*$/;
const TIME = new RegExp(
  "^([0-9]{4})-([0-9]{2})-([0-9]{2})" +
    "(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]{1,9})?)?" +
    "(?: ?(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?))?)?$",
);
const LONE_SURROGATES = /[\ud800-\udfff]/gu;

/** From here on a number that is a time counts milliseconds. */
const MILLISECONDS_FROM = 1e11;
/** Smaller numbers are no times: they are dates such as 20240131, days, or places in an order. */
const SECONDS_FROM = 1e8;
/** The years 1 to 9999. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;

const LARGEST_INTEGER = 10n ** 300n;
const MAX_SHOWN_LENGTH = 60;

/**
 * @typedef {object} Column A raw column that a row must have.
 * @property {string} name
 * @property {"category" | "list" | "number" | "date"} type
 * @property {string} separator What stands between the values of a list; "" for other types.
 * @property {Set<string>} missing Texts that stand for a missing value, beyond the empty one.
 */

/**
 * The canonical text of a value.
 *
 * @param {unknown} value
 * @param {Column} column
 * @returns {string | null} null where it is missing.
 * @throws {TypeError} The value is infinite or has another type.
 */
export function toCategory(value, column) {
  if (value === null || Number.isNaN(value)) return null;
  if (typeof value === "string") return makeCanonical(value, column.missing);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return String(checkSize(value, column));
  if (typeof value === "number") return formatNumber(checkFinite(value, column));
  throw makeError(column, `must be a text or a number, not ${show(value)}`);
}

/**
 * The canonical texts of a list, each once, in their order.
 *
 * @param {unknown} value
 * @param {Column} column
 * @returns {string[]} Empty where it is missing.
 * @throws {TypeError} A part is infinite or has another type.
 */
export function toList(value, column) {
  /** @type {unknown[]} */
  let parts = Array.isArray(value) ? value : [value];
  if (typeof value === "string") {
    const text = value.trim();
    parts = column.missing.has(text) ? [] : text.split(column.separator);
  }
  const texts = parts.map((part) => toCategory(part, column)).filter((text) => text !== null);
  return [...new Set(texts)];
}

/**
 * @param {unknown} value
 * @param {Column} column
 * @returns {number} NaN where it is missing.
 * @throws {TypeError} The value is infinite, no number, or has another type.
 */
export function toNumber(value, column) {
  if (value === null) return NaN;
  if (typeof value === "string") {
    const text = value.trim();
    if (text === "" || column.missing.has(text)) return NaN;
    if (!NUMBER.test(text)) throw makeError(column, `must be a number, not ${show(value)}`);
    return checkFinite(Number(text), column);
  }
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "bigint") return Number(checkSize(value, column));
  if (typeof value === "number") return Number.isNaN(value) ? NaN : checkFinite(value, column);
  throw makeError(column, `must be a number, not ${show(value)}`);
}

/**
 * A time: a text in ISO 8601, or a number of seconds or milliseconds since 1970.
 *
 * @param {unknown} value
 * @param {Column} column
 * @returns {number} Whole Unix seconds, rounded down; NaN where it is missing.
 * @throws {TypeError} The value is no time of the years 1 to 9999.
 */
export function toSeconds(value, column) {
  if (typeof value === "boolean") throw makeError(column, `must be a time, not ${value}`);
  const noTime = `must be a time in ISO 8601 or Unix seconds, not ${show(value)}`;
  if (typeof value === "string") {
    const text = value.trim();
    if (text === "" || column.missing.has(text)) return NaN;
    const parts = TIME.exec(text);
    if (parts) {
      const seconds = combineTime(parts);
      if (seconds === null) {
        throw makeError(column, `must be a time that exists, not ${show(value)}`);
      }
      return seconds;
    }
    if (!NUMBER.test(text)) throw makeError(column, noTime);
  }
  const number = toNumber(value, column);
  if (Number.isNaN(number) || number === 0 || number === -1) return NaN;
  const seconds = Math.floor(Math.abs(number) >= MILLISECONDS_FROM ? number / 1000 : number);
  if (number < SECONDS_FROM || seconds > LAST_SECOND) throw makeError(column, noTime);
  return seconds;
}

/**
 * The canonical form of a text.
 *
 * @param {string} value
 * @param {Set<string>} missing
 * @returns {string | null} null where it is missing.
 */
export function makeCanonical(value, missing) {
  let text = value.trim();
  if (text === "" || missing.has(text)) return null;
  // No letter beyond ASCII is one of these in lower case.
  if (["true", "false"].includes(text.toLowerCase())) return text.toLowerCase();
  if (PLAIN_FRACTION.test(text)) text = cutZeros(text);
  return text === "-0" ? "0" : joinSurrogates(text);
}

/**
 * A text that UTF-8 can write: half a surrogate pair becomes U+FFFD.
 *
 * @param {string} text
 */
export function joinSurrogates(text) {
  return text.replace(LONE_SURROGATES, "\ufffd");
}

/**
 * Without the zeros at the end of a fraction, and without the point if nothing follows it.
 *
 * @param {string} text
 */
function cutZeros(text) {
  let end = text.length;
  while (text[end - 1] === "0") end -= 1;
  if (text[end - 1] === ".") end -= 1;
  return text.slice(0, end);
}

/**
 * A finite number without exponent, without a point behind whole numbers, without a minus before 0.
 *
 * @param {number} number
 */
function formatNumber(number) {
  const [digits, exponent] = String(number).split("e");
  if (exponent === undefined) return digits;
  const sign = number < 0 ? "-" : "";
  const bareDigits = digits.replace(/[-.]/g, "");
  const shift = Number(exponent);
  if (shift < 0) return `${sign}0.${"0".repeat(-shift - 1)}${bareDigits}`;
  // An exponent of 21 or more comes with 17 digits at most.
  return sign + bareDigits.padEnd(shift + 1, "0");
}

/**
 * @param {RegExpExecArray} parts
 * @returns {number | null} Unix seconds; null where there is no such time.
 */
function combineTime(parts) {
  const [year, month, day, hour, minute, second] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const [offsetHours, offsetMinutes] = parts.slice(8, 10).map((part) => Number(part ?? 0));
  const date = new Date(0);
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  const exists = year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!exists || hour > 23 || minute > 59 || second > 60) return null;
  if (offsetHours > 23 || offsetMinutes > 59) return null;
  const offset = (offsetHours * 60 + offsetMinutes) * 60;
  const local = date.getTime() / 1000 + hour * 3600 + minute * 60 + second;
  const seconds = parts[7] === "-" ? local + offset : local - offset;
  return seconds < FIRST_SECOND || seconds > LAST_SECOND ? null : seconds;
}

/**
 * @param {number} number
 * @param {Column} column
 */
function checkFinite(number, column) {
  if (!Number.isFinite(number)) throw makeError(column, "is infinite");
  return number;
}

/**
 * @param {bigint} number
 * @param {Column} column
 */
function checkSize(number, column) {
  if (number >= LARGEST_INTEGER || -number >= LARGEST_INTEGER) {
    throw makeError(column, "is too large a number");
  }
  return number;
}

/**
 * @param {Column} column
 * @param {string} what
 */
function makeError(column, what) {
  return new TypeError(`column '${column.name}' ${what}`);
}

/** @param {unknown} value */
function show(value) {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? `'${value}'` : String(value);
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}

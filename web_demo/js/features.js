// Rows of raw values as the model for ratings and clicks takes them, by the rules of
// docs/reference/features.md; as `kd_tf.runtime.features.schema` in Python.

import { checkFeatures, FIRST_ID, takeLog, UNKNOWN_ID } from "./features_json.js";
import { toCategory, toList, toNumber, toSeconds } from "./raw_values.js";

/**
 * @import { IdFeature, NumberFeature } from "./features_json.js"
 * @import { Column } from "./raw_values.js"
 *
 * @typedef {object} EncodedRow
 * @property {Int32Array} categorical F ids.
 * @property {Float32Array} numeric G numbers.
 *
 * @typedef {object} ReadRow The values of a row as features take them, by the column's name.
 * @property {Map<string, string[]>} texts Of a category or a list; empty where it is missing.
 * @property {Map<string, number>} numbers A number or Unix seconds; NaN where it is missing.
 */

const MISSING_ID = 0;
/** Stands between the values of a combination when it is hashed. */
const CROSS_SEPARATOR = "\x1f";

/** The raw columns that a row must have, and the features made of them. */
export class FeatureSchema {
  /**
   * @param {unknown} content What features.json holds.
   * @throws {Fault} It is damaged or has another version.
   */
  constructor(content) {
    const { label, columns, categorical, numeric } = checkFeatures(content);
    this.label = label;
    this.columns = columns;
    this.categorical = categorical;
    this.numeric = numeric;
    /** F, the number of ids of an encoded row. */
    this.numPlaces = categorical.reduce((sum, { numPlaces }) => sum + numPlaces, 0);
  }

  /**
   * @param {Record<string, unknown>} values Name of a column -> its raw value: null, a boolean, a
   *   number, a text, or an array of these for a list. Other columns are ignored.
   * @returns {EncodedRow}
   * @throws {TypeError} A column is missing or undefined, or a value cannot be one of its column.
   */
  encodeRow(values) {
    const row = readRow(values, this.columns);
    const categorical = new Int32Array(this.numPlaces);
    let place = 0;
    for (const feature of this.categorical) {
      categorical.set(encodeIds(feature, row), place);
      place += feature.numPlaces;
    }
    const numeric = Float32Array.from(this.numeric, (feature) => encodeNumber(feature, row));
    return { categorical, numeric };
  }
}

/**
 * @param {Record<string, unknown>} values
 * @param {Column[]} columns
 * @returns {ReadRow}
 */
function readRow(values, columns) {
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new TypeError("a row must be an object of column: value");
  }
  const names = columns.map(({ name }) => name);
  const absent = names.filter((name) => !Object.hasOwn(values, name) || values[name] === undefined);
  if (absent.length > 0) {
    const shown = absent.map((name) => `'${name}'`).join(", ");
    throw new TypeError(`the row has no ${shown}; a value that is unknown is null`);
  }
  /** @type {ReadRow} */
  const row = { texts: new Map(), numbers: new Map() };
  for (const column of columns) {
    const { name, type } = column;
    const value = values[name];
    if (type === "category") {
      const text = toCategory(value, column);
      row.texts.set(name, text === null ? [] : [text]);
    } else if (type === "list") {
      row.texts.set(name, toList(value, column));
    } else {
      const read = type === "number" ? toNumber : toSeconds;
      row.numbers.set(name, read(value, column));
    }
  }
  return row;
}

/**
 * @param {IdFeature} feature
 * @param {ReadRow} row
 * @returns {number[]} At most as many ids as the feature has places; the rest is `MISSING_ID`.
 */
function encodeIds(feature, row) {
  const [column] = feature.columns;
  const texts = row.texts.get(column) ?? [];
  const number = row.numbers.get(column) ?? NaN;
  switch (feature.kind) {
    case "vocabulary":
      return texts.slice(0, feature.numPlaces).map((text) => feature.ids.get(text) ?? UNKNOWN_ID);
    case "hash":
      return texts.slice(0, feature.numPlaces).map((text) => hashToId(text, feature.buckets));
    case "cross": {
      const parts = feature.columns.flatMap((name) => row.texts.get(name) ?? []);
      if (parts.length < feature.columns.length) return [MISSING_ID];
      return [hashToId(parts.join(CROSS_SEPARATOR), feature.buckets)];
    }
    case "bucket":
      return [Number.isNaN(number) ? MISSING_ID : FIRST_ID + countUpTo(feature.boundaries, number)];
    case "date":
      return [Number.isNaN(number) ? MISSING_ID : FIRST_ID + computePart(number, feature.part)];
  }
}

/**
 * @param {NumberFeature} feature
 * @param {ReadRow} row
 */
function encodeNumber(feature, row) {
  const number = row.numbers.get(feature.column) ?? NaN;
  if (feature.kind === "missing") return Number(Number.isNaN(number));
  if (Number.isNaN(number)) return feature.fill;
  const cut = Math.min(Math.max(number, feature.low), feature.high);
  return ((feature.log ? takeLog(cut) : cut) - feature.offset) / feature.divisor;
}

/**
 * FNV-1a of 32 bits over UTF-8, modulo the number of buckets.
 *
 * @param {string} text
 * @param {number} buckets
 */
function hashToId(text, buckets) {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 16777619);
  return FIRST_ID + ((hash >>> 0) % buckets);
}

/**
 * Number of boundaries that are not above a number.
 *
 * @param {number[]} boundaries Ascending.
 * @param {number} number
 */
function countUpTo(boundaries, number) {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boundaries[middle] <= number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * @param {number} seconds Unix seconds.
 * @param {"hour" | "weekday" | "month"} part
 * @returns {number} From 0; Monday is 0.
 */
function computePart(seconds, part) {
  const date = new Date(seconds * 1000);
  if (part === "hour") return date.getUTCHours();
  return part === "month" ? date.getUTCMonth() : (date.getUTCDay() + 6) % 7;
}

// Rows for the ranker of a bundle: where each of its columns is from on a device, and what it takes
// of each book; as `kd_tf.runtime.row_sources` and `item_values` in Python, by the rules of
// docs/reference/bundle.md.

import { Fault } from "./fault.js";

/**
 * @typedef {string | number | null} Value A raw value; null where it is missing.
 *
 * @typedef {object} ItemValues What items.json holds.
 * @property {string | null} item The column that takes a book's id.
 * @property {Map<string, number>} places The place of each book by its id.
 * @property {Map<string, Value[]>} columns The values of each column, by the books' places.
 *
 * @typedef {object} ColumnSource
 * @property {string} name
 * @property {string} source One of `SOURCES`.
 * @property {string} of The column of items.json; for "item" and "history".
 * @property {Value[]} values Of seven weekdays, Monday first; for "weekday".
 * @property {Value} value For "fixed".
 *
 * @typedef {object} Moment What a device knows.
 * @property {number} seconds Unix seconds.
 * @property {number} offsetMinutes So many minutes its clock is ahead of UTC.
 * @property {string | null} language A tag such as "de-AT".
 */

const VERSION = 1;
/** What a device knows at any moment. */
const CONTEXT_SOURCES = ["hour", "weekday", "time", "local-time", "language"];
const SOURCES = [...CONTEXT_SOURCES, "item-id", "item", "history", "fixed", "missing"];
/** A column of the history is the mean of so many of its newest books that have a number. */
const HISTORY_LENGTH = 5;
const WEEKDAYS = 7;
const HOUR = 3600;
const DAY = 24 * HOUR;

/**
 * @param {unknown} content What items.json holds.
 * @returns {ItemValues}
 * @throws {Fault} It is damaged or has another version.
 */
export function checkItems(content) {
  const file = "items.json";
  const { item, item_ids: ids, columns } = checkVersion(content, file);
  check(item === null || isName(item), file, "item");
  check(Array.isArray(ids) && ids.every(isName), file, "item_ids");
  const places = new Map(/** @type {string[]} */ (ids).map((id, place) => [id, place]));
  const size = /** @type {string[]} */ (ids).length;
  check(places.size === size, file, "item_ids");
  check(Array.isArray(columns), file, "columns");
  /** @type {Map<string, Value[]>} */
  const byName = new Map();
  for (const [number, column] of /** @type {unknown[]} */ (columns).entries()) {
    const what = `columns[${number}]`;
    check(isObject(column) && isName(column.name) && !byName.has(column.name), file, what);
    const { name, values, places: codes } = /** @type {Record<string, any>} */ (column);
    check(Array.isArray(values) && values.every(isValue), file, what);
    check(Array.isArray(codes) && codes.length === size, file, what);
    const isCode = (/** @type {unknown} */ code) =>
      Number.isInteger(code) && Number(code) >= -1 && Number(code) < values.length;
    check(codes.every(isCode), file, what);
    byName.set(name, codes.map((/** @type {number} */ code) => values[code] ?? null));
  }
  return { item: /** @type {string | null} */ (item), places, columns: byName };
}

/** Where the values of all columns of a ranker are from. */
export class RowSources {
  /**
   * @param {unknown} content What sources.json holds.
   * @param {string[]} names The columns of features.json.
   * @param {ItemValues} items
   * @throws {Fault} It is damaged, has another version, or does not fit the other files.
   */
  constructor(content, names, items) {
    const file = "sources.json";
    const { columns } = checkVersion(content, file);
    check(Array.isArray(columns) && columns.every(isObject), file, "columns");
    const rows = /** @type {Record<string, any>[]} */ (columns);
    check(rows.length === names.length, file, "columns");
    check(rows.every(({ name }, place) => name === names[place]), file, "columns");
    for (const { name, source, of, values, value } of rows) {
      check(SOURCES.includes(source), file, name);
      if (source === "item" || source === "history") check(items.columns.has(of), file, name);
      if (source === "weekday") {
        check(Array.isArray(values) && values.length === WEEKDAYS, file, name);
        check(values.every(isValue), file, name);
      }
      if (source === "fixed") check(isValue(value), file, name);
    }
    this.items = items;
    this.columns = /** @type {ColumnSource[]} */ (rows);
  }

  /**
   * The values of the columns that a device knows.
   *
   * @param {Moment} moment
   * @returns {Record<string, Value>}
   */
  makeContext({ seconds, offsetMinutes, language }) {
    const local = seconds + offsetMinutes * 60;
    const day = Math.floor(local / DAY);
    // 1970-01-01 was a Thursday.
    const weekday = (((day + 3) % WEEKDAYS) + WEEKDAYS) % WEEKDAYS;
    /** @type {Record<string, Value>} */
    const values = {
      hour: Math.floor((local - day * DAY) / HOUR),
      time: seconds,
      "local-time": new Date(local * 1000).toISOString().slice(0, 19),
      language: (language ?? "").split("-")[0].toLowerCase() || null,
    };
    return Object.fromEntries(
      this.columns
        .filter(({ source }) => CONTEXT_SOURCES.includes(source))
        .map(({ name, source, values: names }) => [
          name,
          source === "weekday" ? names[weekday] : values[source],
        ]),
    );
  }

  /**
   * A row for each candidate; what is unknown is null.
   *
   * @param {string[]} candidates Ids of books.
   * @param {string[]} history Ids of the reader's books, oldest first.
   * @param {Record<string, Value>} context Values by column, which come before all others.
   * @returns {Record<string, Value>[]}
   */
  makeRows(candidates, history, context) {
    const means = new Map(
      this.columns
        .filter(({ source }) => source === "history")
        .map(({ name, of }) => [name, this.historyMean(of, history)]),
    );
    return candidates.map((id) =>
      Object.fromEntries(
        this.columns.map(({ name, source, of, value }) => {
          if (Object.hasOwn(context, name)) return [name, context[name]];
          if (source === "item-id") return [name, id];
          if (source === "item") return [name, this.#valueOf(of, id)];
          if (source === "history") return [name, means.get(name) ?? null];
          return [name, source === "fixed" ? value : null];
        }),
      ),
    );
  }

  /**
   * The mean of a column over the newest books of a history that have a number in it.
   *
   * @param {string} column
   * @param {string[]} history
   * @returns {number | null}
   */
  historyMean(column, history) {
    /** @type {number[]} */
    const numbers = [];
    for (let place = history.length - 1; place >= 0; place -= 1) {
      const value = this.#valueOf(column, history[place]);
      if (typeof value === "number") numbers.push(value);
      if (numbers.length === HISTORY_LENGTH) break;
    }
    if (numbers.length === 0) return null;
    return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  }

  /**
   * @param {string} column
   * @param {string} id
   */
  #valueOf(column, id) {
    const place = this.items.places.get(id);
    return place === undefined ? null : (this.items.columns.get(column)?.[place] ?? null);
  }
}

/**
 * What this device knows now.
 *
 * @returns {Moment}
 */
export function momentHere() {
  const now = new Date();
  return {
    seconds: Math.floor(now.getTime() / 1000),
    offsetMinutes: -now.getTimezoneOffset(),
    language: globalThis.navigator?.language ?? null,
  };
}

/**
 * @param {unknown} content
 * @param {string} file
 * @returns {Record<string, unknown>}
 */
function checkVersion(content, file) {
  check(isObject(content), file, "{}");
  const object = /** @type {Record<string, unknown>} */ (content);
  if (object.version !== VERSION) {
    throw new Fault("bundle.rankerVersion", {
      file,
      found: JSON.stringify(object.version) ?? "-",
      expected: VERSION,
    });
  }
  return object;
}

/**
 * @param {boolean} isSound
 * @param {string} file
 * @param {string} place
 */
function check(isSound, file, place) {
  if (!isSound) throw new Fault("bundle.ranker", { file, place });
}

/** @param {unknown} value */
function isName(value) {
  return typeof value === "string" && value !== "";
}

/** @param {unknown} value */
function isValue(value) {
  return typeof value === "string" || Number.isFinite(value);
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, any>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

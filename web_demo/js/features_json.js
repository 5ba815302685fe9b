// features.json as the page takes it: everything in it is checked; as
// `kd_tf.runtime.features.features_json` in Python. docs/reference/features.md has the format.

import { Fault } from "./fault.js";
import { joinSurrogates, makeCanonical } from "./raw_values.js";
import { isLonger } from "./text.js";

/** @import { Column } from "./raw_values.js" */

const FEATURES_VERSION = 1;

const MAX_FEATURES = 10_000;
/** Characters of a name, a value of a vocabulary, or a text that stands for a missing value. */
const MAX_NAME_LENGTH = 1000;
const MAX_VOCABULARY = 1_000_000;
const MAX_BUCKETS = 2 ** 24;
const MAX_BOUNDARIES = 10_000;
const MAX_LIST_VALUES = 1000;
const MAX_MISSING_TEXTS = 1000;
const MAX_CROSSED_COLUMNS = 10;
const MAX_IDS = 2 ** 31 - 1;
const MAX_PLACES = 100_000;
/** Scaled numbers must fit in float32. */
const MAX_SCALED = 3.4e38;
const MAX_NUMBER = 1.7e308;

/** Id of the first value or bucket: 0 is a missing value, 1 one that training has not seen. */
export const FIRST_ID = 2;
export const UNKNOWN_ID = 1;

const PARTS = { hour: 24, weekday: 7, month: 12 };

/**
 * @typedef {object} Label What the model predicts; its probability p stands for
 *   low + p * (high - low).
 * @property {string} name
 * @property {"click" | "rating"} kind
 * @property {number} low
 * @property {number} high
 *
 * @typedef {object} Vocabulary
 * @property {"vocabulary"} kind
 * @property {string[]} columns Its only column, of type category or list.
 * @property {Map<string, number>} ids Of canonical texts.
 *
 * @typedef {object} Hash
 * @property {"hash"} kind
 * @property {string[]} columns Its only column, of type category or list.
 * @property {number} buckets
 *
 * @typedef {object} Bucket
 * @property {"bucket"} kind
 * @property {string[]} columns Its only column, of type number.
 * @property {number[]} boundaries Where a new range begins, ascending.
 *
 * @typedef {object} DatePart
 * @property {"date"} kind
 * @property {string[]} columns Its only column, of type date.
 * @property {keyof typeof PARTS} part
 *
 * @typedef {object} Cross
 * @property {"cross"} kind
 * @property {string[]} columns Of type category, at least two.
 * @property {number} buckets
 *
 * @typedef {{ name: string, numIds: number, numPlaces: number }} Sizes
 * @typedef {(Vocabulary | Hash | Bucket | DatePart | Cross) & Sizes} IdFeature
 *
 * @typedef {object} Scaled
 * @property {"scaled"} kind
 * @property {string} name
 * @property {string} column
 * @property {number} low
 * @property {number} high
 * @property {number} offset
 * @property {number} divisor
 * @property {number} fill
 * @property {boolean} log
 *
 * @typedef {{ kind: "missing", name: string, column: string }} Missing
 * @typedef {Scaled | Missing} NumberFeature
 *
 * @typedef {object} Features
 * @property {Label} label
 * @property {Column[]} columns
 * @property {IdFeature[]} categorical
 * @property {NumberFeature[]} numeric
 */

/**
 * Unknown keys are ignored.
 *
 * @param {unknown} content What features.json holds.
 * @returns {Features}
 * @throws {Fault} The version is another one, or a key is missing or has a wrong value.
 */
export function checkFeatures(content) {
  const file = new Reader(content, "");
  const { version } = file.content;
  if (version !== FEATURES_VERSION) {
    throw new Fault("bundle.featuresVersion", {
      found: (JSON.stringify(version) ?? "-").slice(0, 60),
      expected: FEATURES_VERSION,
    });
  }
  const missing = file.missingTexts("missing");
  const columns = file.objects("columns").map((reader) => readColumn(reader, missing));
  file.checkDistinct("columns", columns);
  const byName = new Map(columns.map((column) => [column.name, column]));
  const categorical = file.objects("categorical").map((reader) => readIdFeature(reader, byName));
  const numeric = file.objects("numeric").map((reader) => readNumberFeature(reader, byName));
  file.checkDistinct("categorical", categorical);
  file.checkDistinct("numeric", numeric);
  if (sum(categorical.map(({ numIds }) => numIds)) > MAX_IDS) {
    throw file.fault("categorical", `has more than ${MAX_IDS} ids together`);
  }
  if (sum(categorical.map(({ numPlaces }) => numPlaces)) > MAX_PLACES) {
    throw file.fault("categorical", `has more than ${MAX_PLACES} ids in a row`);
  }
  return { label: readLabel(file.object("label")), columns, categorical, numeric };
}

/**
 * x with a logarithmic scale on both sides of 0.
 *
 * @param {number} x
 */
export function takeLog(x) {
  return Math.sign(x) * Math.log1p(Math.abs(x));
}

/**
 * @param {Reader} reader
 * @returns {Label}
 */
function readLabel(reader) {
  const kind = reader.choice("kind", /** @type {const} */ (["click", "rating"]));
  const low = reader.number("low");
  const high = reader.number("high");
  if (!(low < high)) throw reader.fault("low", "must be below high");
  return { name: reader.name("name"), kind, low, high };
}

/**
 * @param {Reader} reader
 * @param {string[]} missing Of every column.
 * @returns {Column}
 */
function readColumn(reader, missing) {
  const name = reader.name("name");
  const types = /** @type {const} */ (["category", "list", "number", "date"]);
  const type = reader.choice("type", types);
  const own = reader.has("missing") ? reader.missingTexts("missing") : [];
  const separator = type === "list" ? reader.text("separator") : "";
  if (type === "list" && [...separator].length !== 1) {
    throw reader.fault("separator", "must be one character");
  }
  return { name, type, separator, missing: new Set([...missing, ...own]) };
}

/**
 * @param {Reader} reader
 * @param {Map<string, Column>} byName
 * @returns {IdFeature}
 */
function readIdFeature(reader, byName) {
  const name = reader.name("name");
  const kinds = /** @type {const} */ (["vocabulary", "hash", "bucket", "date", "cross"]);
  const kind = reader.choice("kind", kinds);
  if (kind === "cross") {
    const columns = reader.texts("columns", MAX_CROSSED_COLUMNS);
    for (const column of columns) reader.checkColumn(column, byName, ["category"]);
    reader.checkDistinctTexts("columns", columns);
    if (columns.length < 2) throw reader.fault("columns", "must be two or more");
    const buckets = reader.integer("buckets", MAX_BUCKETS);
    return { name, kind, columns, buckets, numIds: FIRST_ID + buckets, numPlaces: 1 };
  }
  if (kind === "bucket") {
    const columns = [reader.column(byName, ["number"])];
    const boundaries = reader.boundaries();
    const numIds = FIRST_ID + boundaries.length + 1;
    return { name, kind, columns, boundaries, numIds, numPlaces: 1 };
  }
  if (kind === "date") {
    const columns = [reader.column(byName, ["date"])];
    const part = reader.choice("part", /** @type {const} */ (["hour", "weekday", "month"]));
    return { name, kind, columns, part, numIds: FIRST_ID + PARTS[part], numPlaces: 1 };
  }
  const column = reader.column(byName, ["category", "list"]);
  const isList = byName.get(column)?.type === "list";
  if (!isList && reader.has("max_values")) {
    throw reader.fault("max_values", "is only for columns of type list");
  }
  const numPlaces = isList ? reader.integer("max_values", MAX_LIST_VALUES) : 1;
  if (kind === "hash") {
    const buckets = reader.integer("buckets", MAX_BUCKETS);
    return { name, kind, columns: [column], buckets, numIds: FIRST_ID + buckets, numPlaces };
  }
  const values = reader.vocabulary();
  const ids = new Map(values.map((value, place) => [value, FIRST_ID + place]));
  return { name, kind, columns: [column], ids, numIds: FIRST_ID + values.length, numPlaces };
}

/**
 * @param {Reader} reader
 * @param {Map<string, Column>} byName
 * @returns {NumberFeature}
 */
function readNumberFeature(reader, byName) {
  const name = reader.name("name");
  const kind = reader.choice("kind", /** @type {const} */ (["scaled", "missing"]));
  const column = reader.column(byName, ["number"]);
  if (kind === "missing") return { kind, name, column };
  const low = reader.number("low");
  const high = reader.number("high");
  const offset = reader.number("offset");
  const divisor = reader.number("divisor");
  const fill = reader.number("fill");
  const { log } = reader.content;
  if (typeof log !== "boolean") throw reader.fault("log", "must be true or false");
  if (!(low <= high)) throw reader.fault("low", "must not be above high");
  if (!(divisor > 0)) throw reader.fault("divisor", "must be above 0");
  for (const limit of [low, high]) {
    const scaled = ((log ? takeLog(limit) : limit) - offset) / divisor;
    if (!(Math.abs(scaled) <= MAX_SCALED)) {
      throw reader.fault("", "the scaled numbers do not fit in float32");
    }
  }
  if (!(Math.abs(fill) <= MAX_SCALED)) throw reader.fault("fill", "does not fit in float32");
  return { kind, name, column, low, high, offset, divisor, fill, log };
}

/** Reads the keys of one object of the file. */
class Reader {
  /**
   * @param {unknown} content
   * @param {string} place What it is, for messages: "columns[3]".
   */
  constructor(content, place) {
    this.place = place;
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      throw this.fault("", "must be an object");
    }
    this.content = /** @type {Record<string, unknown>} */ (content);
  }

  /**
   * @param {string} key "" for the whole object.
   * @param {string} detail For whoever made the bundle.
   */
  fault(key, detail) {
    const place = this.place && key ? `${this.place}.${key}` : this.place || key;
    return new Fault("bundle.features", { place: place || "{}", detail });
  }

  /** @param {string} key */
  has(key) {
    return Object.hasOwn(this.content, key);
  }

  /** @param {string} key */
  object(key) {
    return new Reader(this.content[key], this.place ? `${this.place}.${key}` : key);
  }

  /** @param {string} key */
  objects(key) {
    return this.list(key, MAX_FEATURES).map((item, index) => new Reader(item, `${key}[${index}]`));
  }

  /**
   * @param {string} key
   * @param {number} maxLength
   * @returns {unknown[]}
   */
  list(key, maxLength) {
    const items = this.content[key];
    if (!Array.isArray(items)) throw this.fault(key, "must be a list");
    if (items.length > maxLength) throw this.fault(key, `has more than ${maxLength} entries`);
    return items;
  }

  /** @param {string} key */
  text(key) {
    return this.checkText(this.content[key], key);
  }

  /** @param {string} key */
  name(key) {
    const name = this.text(key);
    if (name.trim() === "") throw this.fault(key, "must not be empty");
    return name;
  }

  /**
   * @param {string} key
   * @param {number} maxLength
   */
  texts(key, maxLength) {
    return this.list(key, maxLength).map((text) => this.checkText(text, key));
  }

  /** @param {string} key */
  missingTexts(key) {
    const texts = this.texts(key, MAX_MISSING_TEXTS);
    if (!texts.every((text) => text !== "" && text === text.trim())) {
      throw this.fault(key, "has an empty text, or one with blanks around it");
    }
    this.checkDistinctTexts(key, texts);
    return texts;
  }

  vocabulary() {
    const values = this.texts("values", MAX_VOCABULARY);
    const other = values.find((value) => makeCanonical(value, new Set()) !== value);
    if (other !== undefined) {
      throw this.fault("values", `has '${other.slice(0, 60)}', which is no canonical text`);
    }
    this.checkDistinctTexts("values", values);
    return values;
  }

  boundaries() {
    const boundaries = this.list("boundaries", MAX_BOUNDARIES).map((item) =>
      this.checkNumber(item, "boundaries"),
    );
    if (boundaries.some((boundary, place) => place > 0 && boundary <= boundaries[place - 1])) {
      throw this.fault("boundaries", "must ascend");
    }
    return boundaries;
  }

  /**
   * @template {string} T
   * @param {string} key
   * @param {readonly T[]} choices
   * @returns {T}
   */
  choice(key, choices) {
    const choice = choices.find((one) => one === this.content[key]);
    if (choice === undefined) throw this.fault(key, `must be one of ${choices.join(", ")}`);
    return choice;
  }

  /**
   * @param {string} key
   * @param {number} largest
   */
  integer(key, largest) {
    const value = this.content[key];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > largest) {
      throw this.fault(key, `must be an integer from 1 to ${largest}`);
    }
    return value;
  }

  /** @param {string} key */
  number(key) {
    return this.checkNumber(this.content[key], key);
  }

  /**
   * @param {Map<string, Column>} byName
   * @param {Column["type"][]} types
   */
  column(byName, types) {
    const name = this.text("column");
    this.checkColumn(name, byName, types);
    return name;
  }

  /**
   * @param {string} name
   * @param {Map<string, Column>} byName
   * @param {Column["type"][]} types
   */
  checkColumn(name, byName, types) {
    const column = byName.get(name);
    const what = `'${name.slice(0, 60)}'`;
    if (!column) throw this.fault("", `columns has no ${what}`);
    if (!types.includes(column.type)) {
      throw this.fault("", `column ${what} has the type ${column.type}, which does not fit`);
    }
  }

  /**
   * @param {string} key
   * @param {{ name: string }[]} items
   */
  checkDistinct(key, items) {
    this.checkDistinctTexts(
      key,
      items.map(({ name }) => name),
    );
  }

  /**
   * @param {string} key
   * @param {string[]} texts
   */
  checkDistinctTexts(key, texts) {
    const seen = new Set();
    for (const text of texts) {
      if (seen.has(text)) throw this.fault(key, `has '${text.slice(0, 60)}' twice`);
      seen.add(text);
    }
  }

  /**
   * @param {unknown} value
   * @param {string} key
   */
  checkText(value, key) {
    if (typeof value !== "string") throw this.fault(key, "must be a text");
    if (isLonger(value, MAX_NAME_LENGTH)) {
      throw this.fault(key, `has more than ${MAX_NAME_LENGTH} characters`);
    }
    if (joinSurrogates(value) !== value) throw this.fault(key, "has half a surrogate pair");
    return value;
  }

  /**
   * @param {unknown} value
   * @param {string} key
   */
  checkNumber(value, key) {
    if (typeof value !== "number" || !(Math.abs(value) <= MAX_NUMBER)) {
      throw this.fault(key, "must be a finite number");
    }
    return value;
  }
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

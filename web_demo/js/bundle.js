// The bundle as the page takes it: its files beside the page, every one of them checked.

import { isObject, openFolder, parse } from "./bundle_files.js";
import { Fault } from "./fault.js";
import { openRankerBundle } from "./ranker_bundle.js";
import { isLonger } from "./text.js";

export const CONTRACT_VERSION = 1;
const CATALOG_VERSION = 1;
/** Characters that the words of a book may have. */
const MAX_WORDS_LENGTH = 1000;
/**
 * @typedef {object} Book One row of catalog.json.
 * @property {number} id The model's id, 1..V.
 * @property {string} item_id The caller's own id.
 * @property {string} [title]
 * @property {string} [authors]
 * @property {string} [series]
 * @property {string} [genre]
 * @property {number} [year]
 * @property {string} [text]
 * @property {string} [isbn] 13 digits.
 * @property {string} [words] What it is about: words with blanks between them, strongest first.
 * @property {boolean} [new] Whether nobody in the training data had read it.
 *
 * @typedef {object} BundleConfig What the page reads of config.json.
 * @property {number} contract_version
 * @property {string} name
 * @property {number} num_items V.
 * @property {number} max_length L.
 * @property {number} recommendations K.
 * @property {number} candidates C.
 * @property {string[]} signatures
 * @property {string} min_runtime_version
 * @property {string} quantization
 * @property {Record<string, number>} metrics
 * @property {Record<string, unknown>} dataset
 * @property {Record<string, string>} sha256
 * @property {string} [ranker_sha256] SHA-256 of ranker/config.json, where the bundle has a ranker.
 *
 * @typedef {object} Bundle
 * @property {BundleConfig} config
 * @property {Book[]} books The book with model id i is books[i - 1].
 * @property {Map<string, Book>} byItemId
 * @property {Uint8Array<ArrayBuffer>} model The .tflite file.
 * @property {string} modelCard Markdown; empty where the bundle has none.
 * @property {import("./ranker_bundle.js").RankerBundle | null} ranker
 */

/**
 * Fetches a bundle and checks what Python's `Bundle.open` checks: contract version, the SHA-256 of
 * every file, and the catalogue.
 *
 * @param {URL} folder Ends in "/".
 * @returns {Promise<Bundle>}
 * @throws {Fault} Something is missing, damaged or of another version.
 */
export async function openBundle(folder) {
  // Browsers have it on https and on this computer only.
  if (!globalThis.crypto?.subtle) throw new Fault("bundle.insecure");
  const needed = ["model.tflite", "catalog.json"];
  const { config, files } = await openFolder(folder, "", CONTRACT_VERSION, needed, checkConfig);
  const catalog = /** @type {Uint8Array<ArrayBuffer>} */ (files.get("catalog.json"));
  const books = checkCatalog(parse(catalog, "catalog.json"), config);
  const card = files.get("MODEL_CARD.md");
  return {
    config,
    books,
    byItemId: new Map(books.map((book) => [book.item_id, book])),
    model: /** @type {Uint8Array<ArrayBuffer>} */ (files.get("model.tflite")),
    modelCard: card ? new TextDecoder().decode(card) : "",
    ranker: config.ranker_sha256 ? await openRankerBundle(folder, config.ranker_sha256) : null,
  };
}

/**
 * @param {Record<string, unknown>} content
 * @returns {BundleConfig}
 */
function checkConfig(content) {
  for (const key of ["name", "min_runtime_version", "quantization"]) {
    if (typeof content[key] !== "string") throw new Fault("bundle.key", { key });
  }
  for (const key of ["metrics", "dataset"]) {
    if (!isObject(content[key])) throw new Fault("bundle.key", { key });
  }
  // JSON has no NaN, but 1e999 is infinite.
  if (!Object.values(/** @type {object} */ (content.metrics)).every(Number.isFinite)) {
    throw new Fault("bundle.key", { key: "metrics" });
  }
  if (content.num_items === 0) throw new Fault("bundle.empty");
  for (const key of ["num_items", "max_length", "recommendations", "candidates"]) {
    const size = content[key];
    if (!Number.isInteger(size) || /** @type {number} */ (size) < 1) {
      throw new Fault("bundle.key", { key });
    }
  }
  const { signatures } = content;
  if (!Array.isArray(signatures) || !signatures.every((one) => typeof one === "string")) {
    throw new Fault("bundle.key", { key: "signatures" });
  }
  const { ranker_sha256: rankerHash } = content;
  if (rankerHash !== undefined && typeof rankerHash !== "string") {
    throw new Fault("bundle.key", { key: "ranker_sha256" });
  }
  return /** @type {BundleConfig} */ (/** @type {unknown} */ (content));
}

/**
 * @param {unknown} content
 * @param {{ num_items: number }} config
 * @returns {Book[]}
 */
export function checkCatalog(content, config) {
  if (!isObject(content) || !Array.isArray(content.books)) {
    throw new Fault("bundle.notJson", { file: "catalog.json" });
  }
  if (content.version !== CATALOG_VERSION) {
    throw new Fault("bundle.catalogVersion", {
      found: JSON.stringify(content.version) ?? "-",
      expected: CATALOG_VERSION,
    });
  }
  const books = content.books;
  if (books.length === 0) throw new Fault("bundle.empty");
  if (books.length !== config.num_items) {
    throw new Fault("bundle.count", { found: books.length, expected: config.num_items });
  }
  const seen = new Set();
  books.forEach((book, place) => {
    const number = place + 1;
    const sound =
      isObject(book) &&
      book.id === number &&
      typeof book.item_id === "string" &&
      book.item_id !== "" &&
      ["title", "authors", "series", "genre", "text", "isbn", "words"].every(
        (key) => book[key] == null || typeof book[key] === "string",
      ) &&
      !isLonger(String(book.words ?? ""), MAX_WORDS_LENGTH) &&
      (book.new == null || typeof book.new === "boolean") &&
      (book.year == null || Number.isInteger(book.year));
    if (!sound) throw new Fault("bundle.book", { number });
    if (seen.has(book.item_id)) throw new Fault("bundle.sameItemId", { id: String(book.item_id) });
    seen.add(book.item_id);
  });
  return books;
}


// The bundle as the page takes it: four files beside the page, every one of them checked.

import { Fault } from "./fault.js";
import { isLonger } from "./text.js";

export const CONTRACT_VERSION = 1;
const CATALOG_VERSION = 1;
/** Characters that the words of a book may have. */
const MAX_WORDS_LENGTH = 1000;
/**
 * The key of config.json whose value is the SHA-256 of config.json itself, worked out with zeros in
 * its place.
 */
const OWN_HASH = "config_sha256";

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
 *
 * @typedef {object} Bundle
 * @property {BundleConfig} config
 * @property {Book[]} books The book with model id i is books[i - 1].
 * @property {Map<string, Book>} byItemId
 * @property {Uint8Array<ArrayBuffer>} model The .tflite file.
 * @property {string} modelCard Markdown; empty where the bundle has none.
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
  const written = await fetchFile(folder, "config.json");
  const content = parse(written, "config.json");
  const config = checkConfig(content);
  await checkOwnHash(written, /** @type {Record<string, unknown>} */ (content)[OWN_HASH]);
  const names = Object.keys(config.sha256);
  const contents = await Promise.all(names.map((name) => fetchChecked(folder, name, config)));
  const files = new Map(names.map((name, place) => [name, contents[place]]));
  const catalog = /** @type {Uint8Array<ArrayBuffer>} */ (files.get("catalog.json"));
  const books = checkCatalog(parse(catalog, "catalog.json"), config);
  const card = files.get("MODEL_CARD.md");
  return {
    config,
    books,
    byItemId: new Map(books.map((book) => [book.item_id, book])),
    model: /** @type {Uint8Array<ArrayBuffer>} */ (files.get("model.tflite")),
    modelCard: card ? new TextDecoder().decode(card) : "",
  };
}

/**
 * @param {unknown} content
 * @returns {BundleConfig}
 */
function checkConfig(content) {
  if (!isObject(content)) throw new Fault("bundle.notJson", { file: "config.json" });
  // Before anything else: the other keys mean something only under a known version.
  if (content.contract_version !== CONTRACT_VERSION) {
    throw new Fault("bundle.contract", {
      found: JSON.stringify(content.contract_version) ?? "-",
      expected: CONTRACT_VERSION,
    });
  }
  for (const key of ["name", "min_runtime_version", "quantization"]) {
    if (typeof content[key] !== "string") throw new Fault("bundle.key", { key });
  }
  for (const key of ["metrics", "dataset", "sha256"]) {
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
  const config = /** @type {BundleConfig} */ (/** @type {unknown} */ (content));
  for (const [name, hash] of Object.entries(config.sha256)) {
    if (typeof hash !== "string") throw new Fault("bundle.key", { key: "sha256" });
    // A name that leads out of the folder, or to another host.
    if (name === "" || name === "." || name === ".." || /[/\\:\0]/.test(name)) {
      throw new Fault("bundle.fileName", { file: name });
    }
  }
  for (const file of ["model.tflite", "catalog.json"]) {
    if (!(file in config.sha256)) throw new Fault("bundle.unlisted", { file });
  }
  return config;
}

/**
 * @param {Uint8Array<ArrayBuffer>} written
 * @param {unknown} own
 */
async function checkOwnHash(written, own) {
  const isHash = typeof own === "string" && /^[0-9a-f]{64}$/.test(own);
  const parts = isHash ? new TextDecoder().decode(written).split(own) : [];
  const opened = new TextEncoder().encode(parts.join("0".repeat(64)));
  if (parts.length !== 2 || (await sha256(opened)) !== own) throw new Fault("bundle.ownHash");
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

/**
 * @param {URL} folder
 * @param {string} name
 * @param {BundleConfig} config
 */
async function fetchChecked(folder, name, config) {
  const content = await fetchFile(folder, name);
  const found = await sha256(content);
  if (found !== config.sha256[name].toLowerCase()) throw new Fault("bundle.hash", { file: name });
  return content;
}

/**
 * @param {Uint8Array<ArrayBuffer>} content
 * @returns {Promise<string>} In hexadecimal.
 */
async function sha256(content) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {URL} folder
 * @param {string} file
 */
async function fetchFile(folder, file) {
  let response;
  try {
    response = await fetch(new URL(encodeURIComponent(file), folder));
  } catch {
    throw new Fault("bundle.unreachable", { file });
  }
  if (!response.ok) throw new Fault("bundle.missing", { file, status: response.status });
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Fault("bundle.unreachable", { file });
  }
}

/**
 * @param {Uint8Array} content
 * @param {string} file
 * @returns {unknown}
 */
function parse(content, file) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    throw new Fault("bundle.notJson", { file });
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// The library export that Goodreads gives its readers: bytes in, rows out.

import { Fault } from "../fault.js";
import { parseCsv } from "./csv.js";

/** Bytes; exports of the largest libraries are far below. */
export const LARGEST = 20_000_000;

/**
 * @typedef {object} ExportRow
 * @property {string} title
 * @property {string} author
 * @property {string} additionalAuthors
 * @property {string} isbn
 * @property {string} isbn13
 * @property {boolean} isRead False on "to-read" and "currently-reading".
 * @property {number} date As YYYYMMDD; 0 where there is none.
 */

const NOT_READ = new Set(["to-read", "currently-reading"]);

/**
 * @param {Uint8Array} bytes
 * @returns {ExportRow[]} In the order of the file.
 * @throws {Fault} It is no such file; the rules are those of tests/goodreads/README.md.
 */
export function readExport(bytes) {
  if (bytes.length > LARGEST) throw new Fault("goodreads.too-large");
  const records = parseCsv(decode(bytes));
  if (!records) throw new Fault("goodreads.unclosed-quote");
  const filled = records
    .map((record) => record.map((cell) => cell.trim()))
    .filter((record) => record.some((cell) => cell !== ""));
  const header = (filled.shift() ?? []).map((name) => name.toLowerCase());
  if (!header.includes("title")) throw new Fault("goodreads.no-title-column");
  if (!filled.length) throw new Fault("goodreads.no-rows");
  const columns = new Map(header.map((name) => [name, header.indexOf(name)]));
  return filled.map((record) => {
    const cell = (/** @type {string} */ name) => record[columns.get(name) ?? -1] ?? "";
    return {
      title: cell("title"),
      author: cell("author"),
      additionalAuthors: cell("additional authors"),
      isbn: cell("isbn"),
      isbn13: cell("isbn13"),
      isRead: !NOT_READ.has(cell("exclusive shelf").toLowerCase()),
      date: date(cell("date read")) || date(cell("date added")),
    };
  });
}

/** @param {Uint8Array} bytes */
function decode(bytes) {
  const [first, second] = bytes;
  let encoding = "utf-8";
  if (first === 0xff && second === 0xfe) encoding = "utf-16le";
  if (first === 0xfe && second === 0xff) encoding = "utf-16be";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new Fault("goodreads.encoding");
  }
}

/** @param {string} text */
function date(text) {
  const match = /^(\d{4})\/(\d{1,2})\/(\d{1,2})$/.exec(text);
  if (!match) return 0;
  const [year, month, day] = match.slice(1).map(Number);
  return month >= 1 && month <= 12 && day >= 1 && day <= 31 ? year * 10_000 + month * 100 + day : 0;
}

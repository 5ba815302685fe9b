// The books of a backup of Openreads, as records like those of its CSV export.

import { Fault } from "../fault.js";

const COLUMNS = [
  "title",
  "author",
  "isbn",
  "status",
  "rating",
  "tags",
  "deleted",
  "readings",
  "start_date",
  "finish_date",
  "date_added",
];
const STATUSES = ["finished", "in_progress", "planned", "abandoned"];

/**
 * @param {string} text JSON objects, separated by five at signs; or an array of objects.
 * @returns {string[][]} With a header.
 * @throws {Fault} It is no such text.
 */
export function splitBackup(text) {
  // Old backups have another separator, which tags have too.
  const texts = text.trimStart().startsWith("[")
    ? [text]
    : text.replaceAll("}|||||{", "}@@@@@{").split("@@@@@");
  const books = texts.flatMap((part) => parse(part));
  return [COLUMNS, ...books.map((book) => COLUMNS.map((name) => cell(name, book[name])))];
}

/**
 * @param {string} text
 * @returns {Record<string, unknown>[]}
 */
function parse(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Fault("readingList.damaged-backup");
  }
  const books = Array.isArray(value) ? value : [value];
  if (books.some((book) => typeof book?.title !== "string")) {
    throw new Fault("readingList.damaged-backup");
  }
  return books;
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function cell(name, value) {
  if (name === "status" && typeof value === "number") return STATUSES[value] ?? String(value);
  if (name === "rating" && Number.isInteger(value)) return String(Number(value) / 10);
  if (Array.isArray(value)) return value.filter((part) => typeof part === "string").join(";");
  return ["string", "number", "boolean"].includes(typeof value) ? String(value).trim() : "";
}

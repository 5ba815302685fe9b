// What a reading service exports: bytes in, rows out. The rules are those of
// tests/reading_lists/README.md, which kd-tf and the Android app keep too.

import { Fault } from "../fault.js";
import { readFromArchive } from "./archive.js";
import { detectDayFirst, listDates, parseDate } from "./dates.js";
import { decodeText } from "./decode.js";
import { OPENREADS, detectFormat } from "./formats.js";
import { listIsbns } from "./isbns.js";
import { splitBackup } from "./openreads_backup.js";
import { splitRecords } from "./records.js";
import { chooseStatus } from "./statuses.js";

/** Bytes; exports of the largest libraries are far below. */
export const LARGEST = 20_000_000;

/**
 * @typedef {import("./formats.js").Format} Format
 * @typedef {import("./statuses.js").Status} Status
 *
 * @typedef {object} Entry A book of a reading list.
 * @property {string} title As in the file.
 * @property {string} author The first, as in the file.
 * @property {string} authors All, separated by commas or other signs.
 * @property {string[]} isbns Of 13 digits.
 * @property {Status} status
 * @property {boolean} isAssumed
 * @property {number} rating From 0 to 5; 0 where there is none.
 * @property {number} date See `parseDate`.
 *
 * @typedef {object} ReadingList
 * @property {Format} format
 * @property {Entry[]} entries In the order of the file.
 * @property {number} unclearDates Texts in place of dates of books that were read.
 */

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<ReadingList>}
 * @throws {Fault} It is no such file.
 */
export async function readReadingList(bytes) {
  if (bytes.length > LARGEST) throw new Fault("readingList.too-large");
  const content = (await readFromArchive(bytes, "books.backup", LARGEST)) ?? bytes;
  if (content.length > LARGEST) throw new Fault("readingList.too-large");
  const text = decodeText(content);
  const isJson = /^\s*[{[]/.test(text);
  const records = isJson ? splitBackup(text) : splitRecords(text);
  if (!records) throw new Fault("readingList.unclosed-quote");
  const names = (records[0] ?? []).map((name) => name.toLowerCase());
  if (!names.includes("title")) throw new Fault("readingList.no-title-column");
  const table = new Table(names, records.slice(1));
  if (!table.rows.length) throw new Fault("readingList.no-rows");
  return makeReadingList(table, isJson ? OPENREADS : detectFormat(names));
}

/** Rows whose cells are looked up by the name of their column. */
class Table {
  /**
   * @param {string[]} names
   * @param {string[][]} rows
   */
  constructor(names, rows) {
    this.places = new Map(names.map((name) => [name, names.indexOf(name)]));
    // Openreads keeps what was deleted.
    this.rows = rows.filter((row) => !/^(true|1)$/i.test(this.cell(row, "deleted")));
  }

  /**
   * @param {string[]} row
   * @param {string} name
   */
  cell(row, name) {
    return row[this.places.get(name) ?? -1] ?? "";
  }

  /**
   * @param {string[]} row
   * @param {string[]} [names]
   * @returns {string[]} Those that are not empty.
   */
  cells(row, names = []) {
    return names.map((name) => this.cell(row, name)).filter((cell) => cell !== "");
  }
}

/**
 * @param {Table} table
 * @param {Format} format
 * @returns {ReadingList}
 */
function makeReadingList(table, format) {
  const { columns } = format;
  const dateColumns = [
    ...(columns.finished ?? []),
    ...(columns.added ?? []),
    ...(columns.started ?? []),
  ];
  const isDayFirst = detectDayFirst(
    table.rows
      .flatMap((row) => table.cells(row, [...dateColumns, ...(columns.stopped ?? [])]))
      .flatMap((cell) => listDates(cell)),
  );
  const ratings = table.rows.map((row) => parseRating(table.cells(row, columns.rating)[0] ?? ""));
  const highest = ratings.reduce((one, other) => Math.max(one, other), 0);
  const scale = highest <= 5 ? 1 : highest <= 10 ? 2 : 20;
  let unclearDates = 0;
  const entries = table.rows.map((row, index) => {
    const hasDate = (/** @type {string[] | undefined} */ names) =>
      table.cells(row, names).some((cell) => listDates(cell).length > 0);
    const readCount = table.cells(row, columns.readCount)[0] ?? "";
    const { status, isAssumed } = chooseStatus(
      table.cells(row, columns.shelf),
      table.cells(row, columns.tags),
      {
        isStopped: hasDate(columns.stopped),
        isFinished: ratings[index] > 0 || hasDate(columns.finished) || !/^0?$/.test(readCount),
        isStarted: hasDate(columns.started),
        isUnread: readCount === "0",
      },
    );
    let date = 0;
    for (const cell of table.cells(row, dateColumns)) {
      const texts = listDates(cell);
      date = texts.reduce((latest, text) => Math.max(latest, parseDate(text, isDayFirst)), 0);
      if (date) break;
      if (texts.length && status === "read") unclearDates += 1;
    }
    const author = table.cells(row, columns.author)[0] ?? "";
    return {
      title: table.cell(row, "title"),
      author,
      authors: [author, ...table.cells(row, columns.moreAuthors)].join(","),
      isbns: table.cells(row, columns.isbns).flatMap((cell) => listIsbns(cell)),
      status,
      isAssumed,
      rating: ratings[index] / scale,
      date,
    };
  });
  return { format, entries, unclearDates };
}

/** @param {string} cell */
function parseRating(cell) {
  return /^[0-9]{1,3}([.,][0-9]{1,9})?$/.test(cell) ? Number(cell.replace(",", ".")) : 0;
}

// Text into records of cells: CSV after RFC 4180, forgiving where services and spreadsheets differ
// from it, and TSV.

const FIRST_LINE = /^[\s,;]*([^\r\n]*)/;
const EXCEL_SEPARATOR = /^"?sep=([,;\t])"?$/i;

/**
 * @param {string} text
 * @returns {string[][] | null} The trimmed cells of every record with any content; null where a
 *   quote is still open at the end.
 */
export function splitRecords(text) {
  const firstLine = FIRST_LINE.exec(text)?.[1] ?? "";
  const excel = EXCEL_SEPARATOR.exec(firstLine);
  const separator = excel?.[1] ?? mostFrequent(firstLine.replace(/"[^"]*"/g, ""));
  const records = separator === "\t" ? splitLines(text) : splitQuoted(text, separator);
  const filled = records
    ?.map((record) => record.map((cell) => cell.trim()))
    .filter((record) => record.some((cell) => cell !== ""));
  // Spreadsheets name the separator in a line of its own, before the header.
  return (excel ? filled?.slice(1) : filled) ?? null;
}

/** @param {string} line */
function mostFrequent(line) {
  const count = (/** @type {string} */ separator) => line.split(separator).length;
  return [",", "\t", ";"].reduce((best, next) => (count(next) > count(best) ? next : best));
}

/**
 * Quotes are characters here: titles of LibraryThing have them.
 *
 * @param {string} text
 */
function splitLines(text) {
  return text.split(/\r\n|\r|\n/).map((line) => line.split("\t").map(withoutQuotes));
}

/** @param {string} text */
function withoutQuotes(text) {
  const cell = text.trim();
  if (cell.length < 2 || !cell.startsWith('"') || !cell.endsWith('"')) return cell;
  const inner = cell.slice(1, -1);
  return inner.replaceAll('""', "").includes('"') ? cell : inner.replaceAll('""', '"');
}

/**
 * @param {string} text
 * @param {string} separator
 * @returns {string[][] | null}
 */
function splitQuoted(text, separator) {
  /** @type {string[][]} */
  const records = [];
  /** @type {string[]} */
  let record = [];
  const ends = `${separator}\r\n`;
  let place = 0;
  while (place < text.length) {
    /** @type {string[]} Put together at the end: a long cell may have a million quotes. */
    const parts = [];
    if (text[place] === '"') {
      place += 1;
      for (;;) {
        const quote = text.indexOf('"', place);
        if (quote < 0) return null;
        parts.push(text.slice(place, quote));
        place = quote + 1;
        if (text[place] !== '"') break;
        parts.push('"');
        place += 1;
      }
    }
    // What stands without quotes, also behind a closing one.
    const begin = place;
    while (place < text.length && !ends.includes(text[place])) place += 1;
    parts.push(text.slice(begin, place));
    record.push(parts.join(""));
    if (text[place] === separator) {
      place += 1;
      continue;
    }
    place += text.startsWith("\r\n", place) ? 2 : 1;
    records.push(record);
    record = [];
  }
  if (record.length) records.push(record);
  return records;
}

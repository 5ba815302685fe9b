// Comma-separated values after RFC 4180, forgiving where Goodreads and spreadsheets differ from it.

/**
 * @param {string} text
 * @returns {string[][] | null} A list of cells a record, blank lines included; null where a quote
 *   is still open at the end.
 */
export function parseCsv(text) {
  /** @type {string[][]} */
  const records = [];
  /** @type {string[]} */
  let record = [];
  let place = 0;
  while (place < text.length) {
    let cell = "";
    if (text[place] === '"') {
      place += 1;
      for (;;) {
        const quote = text.indexOf('"', place);
        if (quote < 0) return null;
        cell += text.slice(place, quote);
        place = quote + 1;
        if (text[place] !== '"') break;
        cell += '"';
        place += 1;
      }
    }
    // What stands without quotes, also behind a closing one.
    const begin = place;
    while (place < text.length && !",\r\n".includes(text[place])) place += 1;
    record.push(cell + text.slice(begin, place));
    if (text[place] === ",") {
      place += 1;
      // A comma at the very end is followed by one more, empty, cell.
      if (place === text.length) record.push("");
      continue;
    }
    place += text.startsWith("\r\n", place) ? 2 : 1;
    records.push(record);
    record = [];
  }
  if (record.length) records.push(record);
  return records;
}

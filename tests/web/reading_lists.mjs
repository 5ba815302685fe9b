// The importer under Node: it needs no page.

import fs from "node:fs";
import path from "node:path";

const { folder, files, generated } = JSON.parse(fs.readFileSync(0, "utf8"));
const sources = new URL("../../web_demo/js/", import.meta.url);
const { Fault } = await import(new URL("fault.js", sources).href);
const { readReadingList } = await import(new URL("reading_lists/read.js", sources).href);
const { CatalogIndex, matchReadingList } = await import(new URL("reading_lists/matching.js", sources).href);

const { books } = JSON.parse(fs.readFileSync(path.join(folder, "catalog.json"), "utf8"));
const index = new CatalogIndex(books);

async function imported(bytes, shelf) {
  try {
    const list = await readReadingList(bytes);
    const { format, books, excluded, lowRated, unclearDates, ...rest } = matchReadingList(
      list,
      index,
      new Set(shelf),
    );
    const ids = (books) => books.map(({ item_id }) => item_id);
    return {
      ...rest,
      format: format.name,
      imported: ids(books),
      excluded: ids(excluded),
      low_rated: lowRated,
      unclear_dates: unclearDates,
    };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { refused: error.code.replace(/^readingList\./, "") };
  }
}

const answers = {};
for (const [name, shelf] of Object.entries(files)) {
  answers[name] = await imported(fs.readFileSync(path.join(folder, name)), shelf);
}
for (const [name, text] of Object.entries(generated)) {
  answers[name] = await imported(new TextEncoder().encode(text), []);
}
console.log(JSON.stringify(answers));

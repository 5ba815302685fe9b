// The importer under Node: it needs no page.

import fs from "node:fs";
import path from "node:path";

const { folder, files, generated } = JSON.parse(fs.readFileSync(0, "utf8"));
const sources = new URL("../../web_demo/js/", import.meta.url);
const { Fault } = await import(new URL("fault.js", sources).href);
const { readExport } = await import(new URL("goodreads/export.js", sources).href);
const { CatalogIndex, matchRows } = await import(new URL("goodreads/matching.js", sources).href);

const { books } = JSON.parse(fs.readFileSync(path.join(folder, "catalog.json"), "utf8"));
const index = new CatalogIndex(books);

function imported(bytes, shelf) {
  try {
    const { books, ...rest } = matchRows(readExport(bytes), index, new Set(shelf));
    return { ...rest, imported: books.map(({ item_id }) => item_id) };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { refused: error.code.replace(/^goodreads\./, "") };
  }
}

const answers = {};
for (const [name, shelf] of Object.entries(files)) {
  answers[name] = imported(fs.readFileSync(path.join(folder, name)), shelf);
}
for (const [name, text] of Object.entries(generated)) {
  answers[name] = imported(new TextEncoder().encode(text), []);
}
console.log(JSON.stringify(answers));

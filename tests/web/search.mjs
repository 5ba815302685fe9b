// The search under Node: what it finds, in which order.

import fs from "node:fs";

const { books, queries, limit } = JSON.parse(fs.readFileSync(0, "utf8"));
const { TitleSearch } = await import(new URL("../../web_demo/js/search.js", import.meta.url).href);
const search = new TitleSearch(books);
const ids = (query) => search.find(query, limit).map(({ item_id }) => item_id);
console.log(JSON.stringify(Object.fromEntries(queries.map((query) => [query, ids(query)]))));

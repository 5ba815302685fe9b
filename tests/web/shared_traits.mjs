// What two books share, and which catalogues are read, under Node: neither needs a page.

import fs from "node:fs";

const { cases, values } = JSON.parse(fs.readFileSync(0, "utf8"));
const sources = new URL("../../web_demo/js/", import.meta.url);
const { Fault } = await import(new URL("fault.js", sources).href);
const { checkCatalog } = await import(new URL("bundle.js", sources).href);
const { sharedTraits } = await import(new URL("shared_traits.js", sources).href);

const shared = cases.map(({ book, other }) => {
  const { authors, sameSeries, words } = sharedTraits(book, other);
  return { authors, same_series: sameSeries, words };
});
const refusals = values.map(([key, value]) => {
  const books = [{ id: 1, item_id: "a", [key]: value }];
  try {
    checkCatalog({ version: 1, books }, { num_items: 1 });
    return null;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.code;
  }
});
console.log(JSON.stringify({ shared, refusals }));

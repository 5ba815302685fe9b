// The rows that the page makes for a ranker, under Node: it needs no page.

import fs from "node:fs";

const { columns, sources, items, devices, rows, damaged } = JSON.parse(fs.readFileSync(0, "utf8"));
const folder = new URL("../../web_demo/js/", import.meta.url);
const { Fault } = await import(new URL("fault.js", folder).href);
const { RowSources, checkItems } = await import(new URL("row_sources.js", folder).href);

const values = checkItems(items);
const made = new RowSources(sources, columns, values);

function refuses(act) {
  try {
    act();
    return false;
  } catch (error) {
    if (!(error instanceof Fault || error instanceof SyntaxError)) throw error;
    return true;
  }
}

console.log(
  JSON.stringify({
    contexts: devices.map(({ seconds, offset_minutes: offsetMinutes, language }) =>
      made.makeContext({ seconds, offsetMinutes, language }),
    ),
    rows: rows.map(({ candidates, history, context }) =>
      made.makeRows(candidates, history, context),
    ),
    items: damaged.items.map((content) => refuses(() => checkItems(JSON.parse(content)))),
    sources: damaged.sources.map((content) =>
      refuses(() => new RowSources(JSON.parse(content), ["a"], values)),
    ),
  }),
);

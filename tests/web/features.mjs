// What the page encodes rows to, under Node: it needs no page.

import fs from "node:fs";

const { cases, damaged } = JSON.parse(fs.readFileSync(0, "utf8"));
const sources = new URL("../../web_demo/js/", import.meta.url);
const { Fault } = await import(new URL("fault.js", sources).href);
const { FeatureSchema } = await import(new URL("features.js", sources).href);

const encoded = cases.map(({ schema, rows, refused }) => {
  const features = new FeatureSchema(schema);
  return [rows, refused ?? []].map((group) => group.map(({ values }) => encode(features, values)));
});
const faults = damaged.map(({ content }) => {
  try {
    new FeatureSchema(JSON.parse(content));
    return null;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.code;
  }
});
console.log(JSON.stringify({ encoded, faults, own: encodeOwnValues() }));

function encode(features, values) {
  try {
    const { categorical, numeric } = features.encodeRow(values);
    return { categorical: [...categorical], numeric: [...numeric] };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { error: error.message };
  }
}

/** Values that JSON has not. */
function encodeOwnValues() {
  const column = { name: "a", type: "category" };
  const values = ["9007199254740993"];
  const features = new FeatureSchema({
    version: 1,
    label: { name: "clicked", kind: "click", low: 0, high: 1 },
    missing: [],
    columns: [column],
    categorical: [{ name: "a", kind: "vocabulary", column: "a", values }],
    numeric: [],
  });
  return {
    "9007199254740993n": encode(features, { a: 9007199254740993n }),
    NaN: encode(features, { a: NaN }),
    Infinity: encode(features, { a: Infinity }),
    "10n ** 300n": encode(features, { a: 10n ** 300n }),
    "new Date(0)": encode(features, { a: new Date(0) }),
    undefined: encode(features, { a: undefined }),
    "no row": encode(features, null),
  };
}

// The ranker in a bundle: the second model, which sorts what the first one recommends.

import { openFolder, parse } from "./bundle_files.js";
import { Fault } from "./fault.js";
import { FeatureSchema } from "./features.js";
import { RowSources, checkItems } from "./row_sources.js";

const CONTRACT_VERSION = 2;
const FOLDER = "ranker/";

/**
 * @typedef {object} RankerConfig What the page reads of ranker/config.json.
 * @property {string} name
 * @property {number} num_places F.
 * @property {number} num_numeric G.
 * @property {number} batch_size B.
 *
 * @typedef {object} RankerBundle
 * @property {RankerConfig} config
 * @property {FeatureSchema} schema
 * @property {RowSources} sources
 * @property {Uint8Array<ArrayBuffer>} model The .tflite file.
 */

/**
 * Fetches the ranker of a bundle and checks what Python checks.
 *
 * @param {URL} folder The bundle's; ends in "/".
 * @param {string} hash SHA-256 of the ranker's config.json, as the bundle says.
 * @returns {Promise<RankerBundle>}
 * @throws {Fault} Something is missing, damaged, of another version or of another bundle.
 */
export async function openRankerBundle(folder, hash) {
  const needed = ["model.tflite", "features.json", "items.json", "sources.json"];
  const opened = await openFolder(folder, FOLDER, CONTRACT_VERSION, needed, checkConfig);
  if (opened.hash !== hash.toLowerCase()) throw new Fault("bundle.otherRanker");
  const { config, files } = opened;
  const read = (/** @type {string} */ name) =>
    parse(/** @type {Uint8Array} */ (files.get(name)), FOLDER + name);
  const schema = new FeatureSchema(read("features.json"));
  if (schema.numPlaces !== config.num_places || schema.numeric.length !== config.num_numeric) {
    throw new Fault("bundle.ranker", { file: "features.json", place: "{}" });
  }
  const items = checkItems(read("items.json"));
  const names = schema.columns.map(({ name }) => name);
  const sources = new RowSources(read("sources.json"), names, items);
  const model = /** @type {Uint8Array<ArrayBuffer>} */ (files.get("model.tflite"));
  return { config, schema, sources, model };
}

/**
 * @param {Record<string, unknown>} content
 * @returns {RankerConfig}
 */
function checkConfig(content) {
  if (typeof content.name !== "string") throw new Fault("bundle.key", { key: "name" });
  const sizes = /** @type {const} */ ([
    ["num_places", 0],
    ["num_numeric", 0],
    ["batch_size", 1],
  ]);
  for (const [key, least] of sizes) {
    const size = content[key];
    if (!Number.isInteger(size) || Number(size) < least) throw new Fault("bundle.key", { key });
  }
  return /** @type {RankerConfig} */ (/** @type {unknown} */ (content));
}

// Sorts a shortlist by the ranker of a bundle; as `Recommender.rerank` in Python.

import { Fault } from "./fault.js";
import { Model } from "./model.js";

/**
 * @typedef {import("./ranker_bundle.js").RankerBundle} RankerBundle
 * @typedef {import("./recommender.js").Scored} Scored
 * @typedef {Scored & { prediction: number }} Reranked `prediction` is the probability of a click,
 *   or the rating in the units of its table.
 */

/** Number of recommendations that are sorted: few enough that all of them suit the reader. */
export const SHORTLIST = 20;

export class BookRanker {
  /** @type {Model} */ #model;

  /**
   * @param {Model} model
   * @param {RankerBundle} bundle
   * @param {import("./bundle.js").Book[]} books The catalogue.
   */
  constructor(model, bundle, books) {
    this.#model = model;
    this.bundle = bundle;
    this.books = books;
  }

  /**
   * @param {RankerBundle} bundle
   * @param {import("./bundle.js").Book[]} books
   * @param {URL} folder Where LiteRT's files lie; ends in "/".
   * @returns {Promise<BookRanker>}
   * @throws {Fault} The model cannot be loaded, or is not what config.json says.
   */
  static async open(bundle, books, folder) {
    const model = await Model.open(bundle.model, folder);
    const { num_places: ids, num_numeric: numbers, batch_size: rows } = bundle.config;
    const describe = (/** @type {readonly number[][]} */ shapes) =>
      shapes.map((shape) => (shape.length ? shape.join(" x ") : "-")).join(", ");
    const said = describe([ids ? [rows, ids] : [], numbers ? [rows, numbers] : []]);
    const found = describe(
      ["categorical", "numeric"].map((name) => [...model.shape("predict_batch", name)]),
    );
    if (said !== found) {
      model.delete();
      throw new Fault("model.sizes", { said, found });
    }
    const ranker = new BookRanker(model, bundle, books);
    try {
      await ranker.#predictBatch([]);
    } catch (error) {
      model.delete();
      throw new Fault("model.load", { why: String(error) });
    }
    return ranker;
  }

  /**
   * The best of a list, sorted by what the model predicts; books with equal predictions stay in
   * their order.
   *
   * @param {Scored[]} recommended Best first.
   * @param {number[]} history Model ids, oldest first.
   * @param {Record<string, import("./row_sources.js").Value>} context
   * @returns {Promise<Reranked[]>}
   */
  async rerank(recommended, history, context) {
    const { sources, schema } = this.bundle;
    const shortlist = recommended.slice(0, SHORTLIST);
    const idOf = (/** @type {number} */ id) => this.books[id - 1].item_id;
    const rows = sources
      .makeRows(shortlist.map(({ id }) => idOf(id)), history.map(idOf), context)
      .map((row) => schema.encodeRow(row));
    /** @type {number[]} */
    const predictions = [];
    const size = this.bundle.config.batch_size;
    for (let begin = 0; begin < rows.length; begin += size) {
      predictions.push(...(await this.#predictBatch(rows.slice(begin, begin + size))));
    }
    return shortlist
      .map((one, place) => ({ ...one, prediction: predictions[place] }))
      .sort((one, other) => other.prediction - one.prediction);
  }

  /**
   * @param {import("./features.js").EncodedRow[]} rows At most B.
   * @returns {Promise<number[]>}
   */
  async #predictBatch(rows) {
    const { num_places: ids, num_numeric: numbers, batch_size: size } = this.bundle.config;
    const categorical = new Int32Array(size * ids);
    const numeric = new Float32Array(size * numbers);
    for (const [place, row] of rows.entries()) {
      categorical.set(row.categorical, place * ids);
      numeric.set(row.numeric, place * numbers);
    }
    const { probability } = await this.#model.run("predict_batch", {
      ...(ids && { categorical: { values: categorical, shape: [size, ids] } }),
      ...(numbers && { numeric: { values: numeric, shape: [size, numbers] } }),
    });
    if (probability?.length !== size) throw new Error(`predict_batch: ${probability?.length}`);
    const { low, high } = this.bundle.schema.label;
    return Array.from(probability.slice(0, rows.length), (one) => low + one * (high - low));
  }
}

// The model in the browser: LiteRT's WebAssembly runtime over the bundle's .tflite file. It answers
// as `kd_tf.runtime.recommender` does in Python.

import { Fault } from "./fault.js";
import { Model } from "./model.js";

/**
 * @typedef {import("./bundle.js").Bundle} Bundle
 * @typedef {{ id: number, score: number }} Scored A book's model id and its score.
 * @typedef {{ id: number, contribution: number }} Reason
 */

export class BookRecommender {
  /** @type {Model} */ #model;

  /**
   * @param {Model} model
   * @param {number} numItems V.
   * @param {number} maxLength L.
   */
  constructor(model, numItems, maxLength) {
    this.#model = model;
    this.numItems = numItems;
    this.maxLength = maxLength;
  }

  /**
   * @param {Bundle} bundle
   * @param {URL} folder Where LiteRT's files lie; ends in "/".
   * @returns {Promise<BookRecommender>}
   * @throws {Fault} The runtime or the model cannot be loaded, or is not what config.json says.
   */
  static async open(bundle, folder) {
    const model = await Model.open(bundle.model, folder);
    const { config } = bundle;
    const said = describe(config);
    const found = describe(sizes(model));
    if (said !== found) {
      model.delete();
      throw new Fault("model.sizes", { said, found });
    }
    const recommender = new BookRecommender(model, config.num_items, config.max_length);
    try {
      await recommender.#try(config.recommendations, config.candidates);
    } catch (error) {
      model.delete();
      throw new Fault("model.load", { why: String(error) });
    }
    return recommender;
  }

  /**
   * Runs every signature once, with ids that books have and ids that none has: only running shows
   * an operator that fails, an answer of another size, and ids beyond the catalogue.
   *
   * @param {number} recommendations K.
   * @param {number} candidates C.
   */
  async #try(recommendations, candidates) {
    const { numItems } = this;
    const history = this.#padded([1, numItems, numItems + 1, -1, 2 ** 31 - 1]);
    const book = Int32Array.of(numItems);
    const list = { ids: recommendations, scores: recommendations };
    /** @type {[string, Record<string, Int32Array<ArrayBuffer>>, Record<string, number>][]} */
    const trials = [
      ["recommend", { history }, list],
      ["similar", { book }, list],
      ["score", { history, candidates: new Int32Array(candidates) }, { scores: candidates }],
      ["explain", { history, book }, { contributions: this.maxLength }],
    ];
    for (const [signature, inputs, lengths] of trials) {
      if (!this.#model.signatures.includes(signature)) continue;
      const answers = await this.#run(signature, inputs);
      for (const [name, length] of Object.entries(lengths)) {
        const found = answers[name]?.length ?? 0;
        if (found !== length) throw new Error(`${signature}: ${found} ${name}, not ${length}`);
      }
      const unknown = answers.ids?.find((id) => id < 0 || id > numItems);
      if (unknown !== undefined) throw new Error(`${signature}: book ${unknown} of ${numItems}`);
    }
  }

  /** @param {"similar" | "score" | "explain"} signature */
  has(signature) {
    return this.#model.signatures.includes(signature);
  }

  /**
   * What a reader may like next, best first.
   *
   * @param {number[]} history Model ids, oldest first; the model sees the newest L, and none of
   *   them, however old, is recommended.
   * @param {number[]} [exclude] Are not recommended either.
   * @returns {Promise<Scored[]>}
   */
  async recommend(history, exclude = []) {
    const { ids, scores } = await this.#run("recommend", { history: this.#padded(history) });
    return this.#scored(ids, scores, new Set([...history, ...exclude]));
  }

  /**
   * Books like this one, most alike first.
   *
   * @param {number} book
   * @returns {Promise<Scored[]>}
   */
  async similar(book) {
    const { ids, scores } = await this.#run("similar", { book: Int32Array.of(book) });
    return this.#scored(ids, scores, new Set([book]));
  }

  /**
   * Because of which books of the history the model scores a book as it does, what adds most
   * first; books that add nothing, or lower the score, are left out.
   *
   * @param {number[]} history As for `recommend`.
   * @param {number} book
   * @param {number} count How many at most.
   * @returns {Promise<Reason[]>}
   */
  async explain(history, book, count) {
    const row = this.#padded(history);
    const { contributions } = await this.#run("explain", {
      history: row,
      book: Int32Array.of(book),
    });
    return Array.from(row, (id, place) => ({ id, contribution: contributions[place] }))
      .filter(({ id, contribution }) => id !== 0 && contribution > 0)
      .sort((one, other) => other.contribution - one.contribution)
      .slice(0, count);
  }

  /**
   * How long `recommend` takes on this device, in milliseconds.
   *
   * @param {number[]} history
   * @param {number} runs
   * @param {number} callsARun So many calls make one run; their mean is its time.
   * @returns {Promise<{ p50: number, p90: number }>}
   */
  async latency(history, runs, callsARun) {
    for (let warmUp = 0; warmUp < 20; warmUp += 1) await this.recommend(history);
    /** @type {number[]} */
    const times = [];
    for (let run = 0; run < runs; run += 1) {
      const begin = performance.now();
      for (let call = 0; call < callsARun; call += 1) await this.recommend(history);
      times.push((performance.now() - begin) / callsARun);
    }
    times.sort((one, other) => one - other);
    const quantile = (/** @type {number} */ share) => times[Math.ceil(share * runs) - 1];
    return { p50: quantile(0.5), p90: quantile(0.9) };
  }

  /** @param {number[]} history */
  #padded(history) {
    const row = new Int32Array(this.maxLength);
    row.set(history.slice(-this.maxLength));
    return row;
  }

  /**
   * @param {Int32Array | Float32Array} ids
   * @param {Int32Array | Float32Array} scores
   * @param {Set<number>} but
   * @returns {Scored[]}
   */
  #scored(ids, scores, but) {
    // The model fills a list with 0 or books of the history when no others are left.
    return Array.from(ids, (id, place) => ({ id, score: scores[place] })).filter(
      ({ id }) => id >= 1 && id <= this.numItems && !but.has(id),
    );
  }

  /**
   * @param {string} signature
   * @param {Record<string, Int32Array<ArrayBuffer>>} inputs
   * @returns {Promise<Record<string, Int32Array | Float32Array>>}
   */
  #run(signature, inputs) {
    const shaped = Object.entries(inputs).map(([name, values]) => [
      name,
      { values, shape: name === "book" ? [1] : [1, values.length] },
    ]);
    return this.#model.run(signature, Object.fromEntries(shaped));
  }
}

/**
 * The sizes that a model has, under the names of config.json.
 *
 * @param {Model} model
 */
function sizes(model) {
  const width = (/** @type {string} */ signature, /** @type {string} */ tensor) =>
    model.shape(signature, tensor)[1] ?? 0;
  return {
    max_length: width("recommend", "history"),
    recommendations: width("recommend", "ids"),
    candidates: width("score", "candidates"),
    signatures: model.signatures,
  };
}

/**
 * @param {{ max_length: number, recommendations: number, candidates: number,
 *   signatures: string[] }} sizes
 */
function describe({ max_length, recommendations, candidates, signatures }) {
  const names = [...signatures].sort().join(", ");
  return `L ${max_length}, K ${recommendations}, C ${candidates}, ${names}`;
}

// Whether lists are sorted by the ranker of the bundle, and by which values. The choice is kept in
// this browser; the values are made when they are needed and go nowhere.

import { momentHere } from "./row_sources.js";

/**
 * @typedef {import("./ranker.js").BookRanker} BookRanker
 * @typedef {import("./recommender.js").Scored} Scored
 * @typedef {Scored & { prediction?: number }} Ranked
 */

const OFF = "off";

export class Reranking {
  #isOn;

  /**
   * @param {BookRanker} ranker
   * @param {Storage | null} storage Null where the browser keeps nothing.
   * @param {string} key
   */
  constructor(ranker, storage, key) {
    this.ranker = ranker;
    this.storage = storage;
    this.key = key;
    let kept = null;
    try {
      kept = storage?.getItem(key) ?? null;
    } catch {
      // As if nothing was kept.
    }
    this.#isOn = kept !== OFF;
  }

  get isOn() {
    return this.#isOn;
  }

  set isOn(isOn) {
    this.#isOn = isOn;
    try {
      this.storage?.setItem(this.key, isOn ? "on" : OFF);
    } catch {
      // It holds until the page is closed.
    }
  }

  /** What is predicted: a click or a rating. */
  get kind() {
    return this.ranker.bundle.schema.label.kind;
  }

  /**
   * @param {Scored[]} recommended
   * @param {number[]} history Model ids, oldest first.
   * @returns {Promise<Ranked[]>}
   */
  async rerank(recommended, history) {
    if (!this.#isOn) return recommended;
    const { sources } = this.ranker.bundle;
    return this.ranker.rerank(recommended, history, sources.makeContext(momentHere()));
  }

  /**
   * The columns of the ranker with their values here and now.
   *
   * @param {number[]} history Model ids, oldest first.
   * @returns {{ name: string, source: string, of: string,
   *   value: import("./row_sources.js").Value }[]}
   */
  describe(history) {
    const { bundle, books } = this.ranker;
    const { sources } = bundle;
    const context = sources.makeContext(momentHere());
    const ids = history.map((id) => books[id - 1].item_id);
    return sources.columns.map(({ name, source, of, value }) => {
      if (name in context) return { name, source, of, value: context[name] };
      if (source === "history") {
        return { name, source, of, value: sources.historyMean(of, ids) };
      }
      return { name, source, of, value: source === "fixed" ? value : null };
    });
  }
}

// A .tflite file in the browser: LiteRT's WebAssembly runtime.

import { Fault } from "./fault.js";

/**
 * @typedef {import("@litertjs/core").CompiledModel} CompiledModel
 * @typedef {import("@litertjs/core").Tensor} Tensor
 * @typedef {{ values: Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>, shape: number[] }} Input
 */

/**
 * One of the four builds in the package. It asks for fixed-width SIMD alone, so every browser of
 * today runs it and every processor rounds alike; with relaxed SIMD it was no faster
 * (docs/how-to/put-it-in-a-web-page.md).
 */
const WASM = "litert_wasm_compat_internal.js";

/** @type {Promise<typeof import("@litertjs/core")> | null} It loads once a page. */
let runtime = null;

export class Model {
  /** @type {CompiledModel} */ #model;
  /** @type {typeof import("@litertjs/core")} */ #litert;
  /** Calls take turns: the model has one set of tensors. */
  #turn = Promise.resolve();

  /**
   * @param {typeof import("@litertjs/core")} litert
   * @param {CompiledModel} model
   */
  constructor(litert, model) {
    this.#litert = litert;
    this.#model = model;
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} content The .tflite file.
   * @param {URL} folder Where LiteRT's files lie; ends in "/".
   * @returns {Promise<Model>}
   * @throws {Fault} The runtime or the model cannot be loaded.
   */
  static async open(content, folder) {
    let litert;
    try {
      litert = await (runtime ??= loadRuntime(folder));
    } catch (error) {
      throw new Fault("model.runtime", { why: String(error) });
    }
    try {
      return new Model(litert, await litert.loadAndCompile(content, { accelerator: "wasm" }));
    } catch (error) {
      throw new Fault("model.load", { why: String(error) });
    }
  }

  get signatures() {
    return Object.keys(this.#model.signatures);
  }

  /**
   * The shape of an input or output of a signature; empty where there is none.
   *
   * @param {string} signature
   * @param {string} tensor
   * @returns {readonly number[]}
   */
  shape(signature, tensor) {
    const one = this.#model.signatures[signature];
    const details = one && [...one.getInputDetails(), ...one.getOutputDetails()];
    return Array.from(details?.find(({ name }) => name === tensor)?.shape ?? []);
  }

  /**
   * @param {string} signature
   * @param {Record<string, Input>} inputs
   * @returns {Promise<Record<string, Int32Array | Float32Array>>}
   */
  run(signature, inputs) {
    const answer = this.#turn.then(() => this.#runNow(signature, inputs));
    // A call that failed does not hold up the next one.
    this.#turn = answer.then(
      () => {},
      () => {},
    );
    return answer;
  }

  delete() {
    this.#model.delete();
  }

  /**
   * @param {string} signature
   * @param {Record<string, Input>} inputs
   */
  async #runNow(signature, inputs) {
    // WebAssembly memory is not collected: every tensor, in or out, is deleted by hand.
    /** @type {Record<string, Tensor>} */
    const given = {};
    /** @type {Record<string, Tensor>} */
    let answers = {};
    try {
      for (const [name, { values, shape }] of Object.entries(inputs)) {
        given[name] = new this.#litert.Tensor(values, shape);
      }
      answers = await this.#model.run(signature, given);
      return Object.fromEntries(
        // Copies: the arrays lie in the memory that is freed below.
        Object.entries(answers).map(([name, tensor]) => [
          name,
          /** @type {Int32Array | Float32Array} */ (tensor.toTypedArray()).slice(),
        ]),
      );
    } finally {
      for (const tensor of [...Object.values(given), ...Object.values(answers)]) tensor.delete();
    }
  }
}

/**
 * @param {URL} folder
 * @returns {Promise<typeof import("@litertjs/core")>}
 */
async function loadRuntime(folder) {
  /** @type {typeof import("@litertjs/core")} */
  const litert = await import(new URL("core.js", folder).href);
  await litert.loadLiteRt(new URL(WASM, folder).href);
  return litert;
}

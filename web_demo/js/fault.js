/**
 * Something that the reader of the page must know: a bundle that is refused, a file that is no
 * reading list. It carries the name of a message, not the message: the page says it in the
 * reader's language.
 */
export class Fault extends Error {
  /**
   * @param {string} code A key of strings/en.js.
   * @param {Record<string, string | number>} [values] What the message has places for.
   */
  constructor(code, values = {}) {
    super(`${code} ${JSON.stringify(values)}`);
    this.name = "Fault";
    this.code = code;
    this.values = values;
  }
}

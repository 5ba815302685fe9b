// From a file that the reader chose to books on the shelf.

import { Fault } from "../fault.js";
import { CatalogIndex, matchReadingList } from "./matching.js";
import { LARGEST, readReadingList } from "./read.js";

/**
 * @typedef {import("../bundle.js").Book} Book
 * @typedef {import("./matching.js").Imported} Imported
 */

/** Dispatches "change" when a file is being read, was read, or was refused. */
export class ReadingListImport extends EventTarget {
  /** @type {CatalogIndex | null} Made on the first import: few readers have one. */
  #index = null;
  isReading = false;
  /** @type {Imported | Fault | null} */
  report = null;

  /**
   * @param {Book[]} books
   * @param {import("../shelf.js").Shelf} shelf
   */
  constructor(books, shelf) {
    super();
    this.books = books;
    this.shelf = shelf;
  }

  /** @param {File} file */
  async read(file) {
    this.#become(true, null);
    let report;
    try {
      // Before it is read: a film dropped by mistake must not fill the memory.
      if (file.size > LARGEST) throw new Fault("readingList.too-large");
      const bytes = new Uint8Array(await file.arrayBuffer());
      this.#index ??= new CatalogIndex(this.books);
      const onShelf = new Set(this.shelf.books.map(({ id }) => id));
      report = matchReadingList(await readReadingList(bytes), this.#index, onShelf);
    } catch (error) {
      report = error instanceof Fault ? error : new Fault("readingList.unreadable");
    }
    if (!(report instanceof Fault) && report.books.length + report.excluded.length) {
      this.shelf.add(report.books.map(shelfBook), report.excluded.map(shelfBook));
    }
    this.#become(false, report);
  }

  close() {
    this.#become(false, null);
  }

  /**
   * @param {boolean} isReading
   * @param {Imported | Fault | null} report
   */
  #become(isReading, report) {
    this.isReading = isReading;
    this.report = report;
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Book} book */
function shelfBook({ item_id, title, authors }) {
  return { id: item_id, title, authors };
}

// A reader's shelf: it lives in this browser's local storage and goes nowhere else.

/**
 * @typedef {object} ShelfBook What is kept of a book, so that it can be named even when a later
 *   bundle no longer has it.
 * @property {string} id The caller's own id, which every bundle of the same shop shares.
 * @property {string} [title]
 * @property {string} [authors]
 *
 * @typedef {{ books: ShelfBook[], hidden: ShelfBook[] }} Content
 */

const VERSION = 1;

/**
 * Dispatches "change" after every change, its own and those of other tabs.
 *
 * Attributes:
 *   unreadable: What stood in storage was no shelf; it was put aside under another key.
 *   unsaved: The last change could not be stored (private mode, storage full).
 */
export class Shelf extends EventTarget {
  /** @type {Content} */ #content;
  /** @type {Content | null} */ #before = null;
  unreadable = false;
  unsaved = false;

  /**
   * @param {Storage | null} storage Null where the browser keeps nothing.
   * @param {string} key
   */
  constructor(storage, key) {
    super();
    this.storage = storage;
    this.key = key;
    this.#content = this.#load();
  }

  /** What was read, oldest first. */
  get books() {
    return this.#content.books;
  }

  /** What the reader does not want to be recommended. */
  get hidden() {
    return this.#content.hidden;
  }

  /** @param {string} id */
  has(id) {
    return this.books.some((book) => book.id === id);
  }

  /**
   * @param {ShelfBook[]} books Those that stand on the shelf already are left where they are.
   * @param {ShelfBook[]} [hidden] Those that must not be recommended, unless they are read.
   */
  add(books, hidden = []) {
    const known = new Set(this.books.map(({ id }) => id));
    const added = books.filter(({ id }) => !known.has(id) && known.add(id));
    const isAdded = new Set(added.map(({ id }) => id));
    const hiddenBefore = this.hidden.filter(({ id }) => !isAdded.has(id));
    for (const { id } of hiddenBefore) known.add(id);
    this.#change({
      books: [...this.books, ...added],
      hidden: [...hiddenBefore, ...hidden.filter(({ id }) => !known.has(id) && known.add(id))],
    });
  }

  /** @param {string} id */
  remove(id) {
    this.#change({ ...this.#content, books: this.books.filter((book) => book.id !== id) });
  }

  /** @param {ShelfBook} book */
  hide(book) {
    const others = this.hidden.filter(({ id }) => id !== book.id);
    this.#change({ ...this.#content, hidden: [...others, book] });
  }

  /** @param {string} id */
  unhide(id) {
    this.#change({ ...this.#content, hidden: this.hidden.filter((book) => book.id !== id) });
  }

  /**
   * Takes the last change back.
   *
   * @returns {boolean} False where there is none, or another tab made the last one.
   */
  undo() {
    if (!this.#before) return false;
    this.#change(this.#before);
    this.#before = null;
    return true;
  }

  /** Another tab wrote the shelf. */
  reload() {
    this.#content = this.#load();
    this.#before = null;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Content} content */
  #change(content) {
    this.#before = this.#content;
    this.#content = content;
    this.#save();
    this.dispatchEvent(new Event("change"));
  }

  #save() {
    try {
      if (!this.storage) throw new Error("no storage");
      this.storage.setItem(this.key, JSON.stringify({ version: VERSION, ...this.#content }));
      this.unsaved = false;
    } catch {
      this.unsaved = true;
    }
  }

  /** @returns {Content} */
  #load() {
    const stored = this.storage?.getItem(this.key) ?? null;
    if (stored === null) return { books: [], hidden: [] };
    try {
      const content = JSON.parse(stored);
      if (content.version !== VERSION) throw new Error("another version");
      return { books: shelfBooks(content.books), hidden: shelfBooks(content.hidden) };
    } catch {
      // Never written over: a later version of the page may be able to read it.
      this.unreadable = true;
      try {
        this.storage?.setItem(`${this.key} (unreadable)`, stored);
      } catch {
        // Storage is full: the first change to the new shelf will say so.
      }
      return { books: [], hidden: [] };
    }
  }
}

/**
 * Local storage, or null where the reader's settings forbid it.
 *
 * @returns {Storage | null}
 */
export function localStorageOrNull() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

/**
 * @param {unknown} rows
 * @returns {ShelfBook[]}
 */
function shelfBooks(rows) {
  if (!Array.isArray(rows)) throw new Error("no list of books");
  return rows.map(({ id, title, authors }) => {
    if (typeof id !== "string" || !id) throw new Error("a book without an id");
    return {
      id,
      ...(typeof title === "string" && { title }),
      ...(typeof authors === "string" && { authors }),
    };
  });
}

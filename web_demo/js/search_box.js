// The search field with its suggestions: an editable combobox with a list, after the ARIA Authoring
// Practices Guide.

import { byline, titleOf } from "./books.js";
import { el } from "./dom.js";
import { t } from "./language.js";

/**
 * @typedef {import("./bundle.js").Book} Book
 * @typedef {import("./search.js").TitleSearch} TitleSearch
 */

const SUGGESTIONS = 8;

export class SearchBox {
  /** @type {Book[]} */ #books = [];
  #active = -1;

  /**
   * @param {() => TitleSearch} search Called once something is typed.
   * @param {(book: Book) => boolean} isOnShelf
   * @param {(book: Book) => void} choose
   */
  constructor(search, isOnShelf, choose) {
    this.search = search;
    this.isOnShelf = isOnShelf;
    this.choose = choose;
    this.input = el("input", {
      id: "search",
      type: "text",
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": "suggestions",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      enterkeyhint: "search",
      placeholder: t("search.placeholder"),
      on: {
        input: () => this.#suggest(),
        keydown: (event) => this.#key(event),
        blur: () => this.#close(),
        focus: () => this.#suggest(),
      },
    });
    this.list = el("ul", {
      id: "suggestions",
      role: "listbox",
      "aria-label": t("search.suggestions"),
      hidden: true,
      // The field keeps the focus while the list is pressed.
      on: { pointerdown: (event) => event.preventDefault() },
    });
    this.status = el("p", { class: "visually-hidden", role: "status" });
    this.none = el("p", { class: "search-none", hidden: true }, t("search.none"));
    this.node = el(
      "div",
      { class: "search" },
      el("label", { for: "search" }, t("search.label")),
      el("div", { class: "search-field" }, this.input, this.list, this.none),
      this.status,
    );
  }

  #suggest() {
    const query = this.input.value.trim();
    this.#books = query ? this.search().find(query, SUGGESTIONS) : [];
    this.#active = -1;
    this.list.replaceChildren(...this.#books.map((book, place) => this.#option(book, place)));
    this.#show(this.#books.length > 0);
    const isNone = query !== "" && !this.#books.length;
    this.none.hidden = !isNone;
    const count = this.#books.length;
    const said = isNone ? t("search.none") : count ? t("search.found", { n: count }) : "";
    if (this.status.textContent !== said) this.status.textContent = said;
  }

  /**
   * @param {Book} book
   * @param {number} place
   */
  #option(book, place) {
    return el(
      "li",
      {
        id: `suggestion-${place}`,
        role: "option",
        "aria-selected": "false",
        on: { click: () => this.#take(book) },
      },
      el("span", { class: "option-title" }, titleOf(book)),
      byline(book),
      this.isOnShelf(book) && el("span", { class: "badge" }, t("book.onShelf")),
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // While an input method composes (Chinese, Japanese), its keys are its own.
    if (event.isComposing) return;
    const count = this.#books.length;
    const isOpen = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) return this.#suggest();
      const step = event.key === "ArrowDown" ? 1 : -1;
      // One place more than there are suggestions: the field itself.
      this.#activate(((this.#active + 1 + step + count + 1) % (count + 1)) - 1);
    } else if (event.key === "Enter" && isOpen) {
      event.preventDefault();
      this.#take(this.#books[Math.max(this.#active, 0)]);
    } else if (event.key === "Escape") {
      if (!isOpen) this.input.value = "";
      this.#close();
    }
    return undefined;
  }

  /** @param {number} place -1 for the field itself. */
  #activate(place) {
    this.#active = place;
    [...this.list.children].forEach((option, one) => {
      option.setAttribute("aria-selected", String(one === place));
    });
    const active = this.list.children[place];
    if (active) {
      this.input.setAttribute("aria-activedescendant", active.id);
      active.scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {Book} book */
  #take(book) {
    this.input.value = "";
    this.#close();
    this.choose(book);
  }

  #close() {
    this.#show(false);
    this.none.hidden = true;
    this.status.textContent = "";
  }

  /** @param {boolean} isOpen */
  #show(isOpen) {
    this.list.hidden = !isOpen;
    this.input.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) this.#activate(-1);
  }
}

// One line at the foot of the page: what just happened, and a way back. It stays until the next one, so
// that nobody has to be quick.

import { el, focusQuietly } from "./dom.js";
import { t } from "./language.js";

export class Notice {
  /**
   * @param {HTMLElement} bar Empty; it stays in the page, for screen readers speak only what
   *   changes in a region that they know.
   * @param {() => void} undo
   */
  constructor(bar, undo) {
    this.bar = bar;
    this.undo = undo;
    this.text = el("p", { role: "status" });
    this.buttons = el("div", { class: "notice-buttons" });
    bar.append(this.text, this.buttons);
    this.close();
  }

  /**
   * @param {string} text
   * @param {{ undo?: boolean, action?: { label: string, act: () => void } }} [offer]
   */
  say(text, { undo = false, action } = {}) {
    this.text.textContent = text;
    const button = (/** @type {string} */ label, /** @type {() => void} */ act) =>
      el("button", { class: "button", type: "button", on: { click: this.#used(act) } }, label);
    this.buttons.replaceChildren(
      ...(undo ? [button(t("notice.undo"), this.undo)] : []),
      ...(action ? [button(action.label, action.act)] : []),
      el(
        "button",
        {
          class: "button close",
          type: "button",
          "aria-label": t("notice.close"),
          on: { click: this.#used(() => this.close()) },
        },
        el("span", { "aria-hidden": "true" }, "×"),
      ),
    );
    this.bar.classList.remove("empty");
  }

  close() {
    this.text.textContent = "";
    this.buttons.replaceChildren();
    this.bar.classList.add("empty");
  }

  /**
   * The buttons go when they are pressed: the keyboard goes on at the top of the view.
   *
   * @param {() => void} act
   */
  #used(act) {
    return () => {
      act();
      focusQuietly(document.querySelector("h1"));
    };
  }
}

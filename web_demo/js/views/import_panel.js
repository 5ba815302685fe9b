import { partOfList } from "../books.js";
import { el, refill } from "../dom.js";
import { Fault } from "../fault.js";
import { t } from "../language.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../reading_lists/matching.js").Imported} Imported
 */

const SOME = 50;

/**
 * @param {Page} page
 * @param {AbortSignal} left
 */
export function importPanel(page, left) {
  const { importer } = page;
  const input = el("input", {
    id: "export-file",
    class: "visually-hidden",
    type: "file",
    accept: ".csv,.tsv,.txt,.json,.backup,text/csv,text/tab-separated-values",
    on: {
      change: () => {
        const file = input.files?.[0];
        if (file) importer.read(file);
        // The same file may be chosen again once it was mended.
        input.value = "";
      },
    },
  });
  const result = el("div", { class: "import-result" });
  const progress = el("p", { role: "status" });
  let shown = SOME;

  function fill() {
    const { report } = importer;
    progress.textContent = importer.isReading ? t("import.reading") : "";
    refill(
      result,
      report
        ? [
            el("h3", { tabindex: "-1" }, t("import.done.title")),
            ...(report instanceof Fault ? refusal(report) : outcome(report)),
            el(
              "button",
              { class: "button", type: "button", on: { click: close } },
              t("import.close"),
            ),
          ]
        : [],
    );
  }

  /** @param {Imported} report */
  function outcome(report) {
    const { format, books, unmatched } = report;
    const fact = (/** @type {number} */ n, /** @type {string} */ text) =>
      n > 0 && el("li", {}, text);
    const { already, repeated, assumed, unread, abandoned, lowRated, unclearDates } = report;
    const hidden = report.excluded.length;
    return [
      el(
        "ul",
        { class: "facts" },
        el(
          "li",
          {},
          format.service ? t("import.service", { service: format.service }) : t("import.table"),
        ),
        el("li", {}, t("import.rows", { n: report.rows })),
        el("li", {}, el("strong", {}, t("import.added", { n: books.length }))),
        fact(already, t("import.already", { n: already })),
        fact(repeated, t("import.repeated", { n: repeated })),
        fact(assumed, t("import.assumed", { n: assumed })),
        fact(unread, t("import.unread", { n: unread })),
        fact(abandoned, t("import.abandoned", { n: abandoned })),
        fact(lowRated, t("import.lowRated", { n: lowRated })),
        fact(hidden, t("import.hidden", { n: hidden })),
        fact(unclearDates, t("import.unclearDates", { n: unclearDates })),
        fact(unmatched.length, t("import.unmatched", { n: unmatched.length })),
      ),
      ...(unmatched.length
        ? [
            el("h4", { id: "unmatched" }, t("import.unmatched.title")),
            ...partOfList(
              unmatched,
              shown,
              ({ title, author }) =>
                el(
                  "li",
                  {},
                  el("span", {}, title || t("import.noTitle")),
                  author && el("span", { class: "book-authors" }, ` · ${author}`),
                ),
              () => {
                shown += 10 * SOME;
                fill();
              },
              { class: "unmatched", "aria-labelledby": "unmatched" },
            ),
          ]
        : []),
    ];
  }

  /** @param {Fault} fault */
  function refusal(fault) {
    return [
      el("p", { class: "fault" }, el("strong", {}, t(fault.code, fault.values))),
      el("p", {}, t("readingList.do")),
    ];
  }

  function close() {
    importer.close();
    input.focus();
  }

  importer.addEventListener(
    "change",
    () => {
      shown = SOME;
      fill();
      // Long after the choice, and somewhere else on the page: the report calls for attention.
      if (importer.report) result.querySelector("h3")?.focus();
    },
    { signal: left },
  );
  fill();
  return el(
    "section",
    { class: "panel", "aria-labelledby": "import" },
    el("h2", { id: "import" }, t("import.title")),
    el("p", {}, t("import.how")),
    el(
      "p",
      { class: "file" },
      input,
      el("label", { class: "button", for: "export-file" }, t("import.choose")),
    ),
    progress,
    result,
  );
}

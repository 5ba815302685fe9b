import { el } from "../dom.js";
import { hasText, list, number, t } from "../language.js";
import { historyOf } from "../page.js";

/** @typedef {import("../page.js").Page} Page */

const RUNS = 200;
const FOUR_DIGITS = { minimumFractionDigits: 4, maximumFractionDigits: 4 };
/** Measures that are written in capitals. */
const CAPITALS = new Set(["ndcg", "map", "mrr", "f1"]);
/** Calls that make one run where the clock has steps of a tenth of a millisecond. */
const CALLS_BY_A_COARSE_CLOCK = 10;

/** @type {Record<string, (column: string) => string>} What a value of the ranker is, by its source. */
const SOURCE_LABELS = {
  hour: () => t("about.rerank.hour"),
  weekday: () => t("about.rerank.weekday"),
  time: () => t("about.rerank.time"),
  "local-time": () => t("about.rerank.local-time"),
  language: () => t("about.rerank.language"),
  history: (column) => t("about.rerank.history", { column }),
  fixed: (column) => t("about.rerank.fixed", { column }),
};

/** @type {import("../page.js").MakeView} */
export function aboutView(page, left) {
  const { config, model, modelCard } = page.bundle;
  const bytesABook = number(model.length / config.num_items, { maximumFractionDigits: 1 });
  const node = el(
    "div",
    { class: "view" },
    el("h1", { id: "heading", tabindex: "-1" }, t("about.title")),
    el("p", { class: "lead" }, t("about.private")),
    section("about.facts", [
      facts([
        [t("about.name"), config.name],
        [t("about.books"), number(config.num_items)],
        [t("about.bytes"), t("about.bytesOf", { bytes: model.length, each: bytesABook })],
        [t("about.contract"), String(config.contract_version)],
        [t("about.quantization"), config.quantization],
        [t("about.history"), number(config.max_length)],
        [t("about.k"), number(config.recommendations)],
        [t("about.runtime"), config.min_runtime_version],
        [t("about.signatures"), config.signatures.join(", ")],
      ]),
    ]),
    page.reranking && section("about.rerank", reranked(page, page.reranking)),
    section("about.latency", latency(page, left)),
    Object.keys(config.metrics).length > 0 &&
      section("about.metrics", [el("p", {}, t("about.metrics.hint")), metrics(config.metrics)]),
    section("about.dataset", [facts(dataset(config.dataset))]),
    modelCard &&
      el(
        "details",
        { class: "panel" },
        el("summary", {}, t("about.card")),
        el("pre", { class: "model-card", tabindex: "0", "aria-label": t("about.card") }, modelCard),
      ),
    el(
      "p",
      { class: "small" },
      t("about.runs"),
      " ",
      el("a", { href: "LICENSE.txt" }, t("about.license")),
    ),
  );
  return { title: t("about.title"), node };
}

/**
 * The switch, and what the ranker takes here and now.
 *
 * @param {Page} page
 * @param {import("../reranking.js").Reranking} reranking
 */
function reranked(page, reranking) {
  const values = el("div", { id: "rerank-values" });
  const state = el("span", { class: "switch-state" });
  const button = el(
    "button",
    {
      class: "button switch",
      type: "button",
      role: "switch",
      on: {
        click: () => {
          reranking.isOn = !reranking.isOn;
          fill();
        },
      },
    },
    t("about.rerank.switch"),
    " ",
    state,
  );

  function fill() {
    button.setAttribute("aria-checked", String(reranking.isOn));
    state.textContent = reranking.isOn ? t("about.rerank.on") : t("about.rerank.off");
    values.replaceChildren(...(reranking.isOn ? [usedValues(page, reranking)] : []));
  }

  fill();
  return [el("p", {}, t("about.rerank.hint")), el("p", {}, button), values];
}

/**
 * @param {Page} page
 * @param {import("../reranking.js").Reranking} reranking
 */
function usedValues(page, reranking) {
  const columns = reranking.describe(historyOf(page));
  /** @type {[string, string][]} */
  const rows = [];
  for (const { name, source, of, value } of columns) {
    if (value === null) continue;
    rows.push([SOURCE_LABELS[source](of ?? name), valueText(source, value)]);
  }
  const ofBooks = columns.filter(({ source }) => ["item-id", "item"].includes(source));
  if (ofBooks.length) rows.push([t("about.rerank.books"), list(ofBooks.map(({ name }) => name))]);
  const missing = columns.filter(
    ({ source, value }) => value === null && !["item-id", "item"].includes(source),
  );
  if (missing.length) rows.push([t("about.rerank.missing"), list(missing.map(({ name }) => name))]);
  return facts(rows);
}

/**
 * @param {string} source
 * @param {string | number} value
 */
function valueText(source, value) {
  if (source === "local-time") return String(value).replace("T", " ");
  if (typeof value === "string") return value;
  if (source !== "time") return number(value, { useGrouping: false });
  return `${new Date(value * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/**
 * @param {Page} page
 * @param {AbortSignal} left
 */
function latency(page, left) {
  const result = el("p", { role: "status", class: "latency" });
  const button = el(
    "button",
    { class: "button primary", type: "button", on: { click: measure } },
    t("about.latency.measure"),
  );

  async function measure() {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    result.textContent = t("about.latency.running");
    // Let the words be drawn first.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const calls = globalThis.crossOriginIsolated ? 1 : CALLS_BY_A_COARSE_CLOCK;
    const { p50, p90 } = await page.recommender.latency(historyOf(page), RUNS, calls);
    if (left.aborted) return;
    const milliseconds = (/** @type {number} */ time) =>
      number(time, { maximumSignificantDigits: 2 });
    result.dataset.p50 = String(p50);
    result.dataset.p90 = String(p90);
    result.textContent = [
      t("about.latency.result", { runs: RUNS, p50: milliseconds(p50), p90: milliseconds(p90) }),
      calls > 1 && t("about.latency.coarse", { n: calls }),
    ]
      .filter(Boolean)
      .join(" ");
    button.removeAttribute("aria-disabled");
  }

  return [el("p", {}, button), result];
}

/**
 * A row a measure, a column a length of list ("ndcg@10"); figures without a length stand alone.
 *
 * @param {Record<string, number>} figures
 */
function metrics(figures) {
  const names = Object.keys(figures).map((key) => key.split("@"));
  const measures = [...new Set(names.map(([measure]) => measure))];
  const lengths = [...new Set(names.map(([, length]) => length ?? ""))];
  const figure = (/** @type {string} */ measure, /** @type {string} */ length) => {
    const value = figures[length ? `${measure}@${length}` : measure];
    return typeof value === "number" ? number(value, FOUR_DIGITS) : "";
  };
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("about.metrics") },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col" }, t("about.metric")),
          ...lengths.map((length) =>
            el("th", { scope: "col" }, length && t("about.metric.at", { n: Number(length) })),
          ),
        ),
      ),
      el(
        "tbody",
        {},
        ...measures.map((measure) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, nameOf(measure)),
            ...lengths.map((length) => el("td", {}, figure(measure, length))),
          ),
        ),
      ),
    ),
  );
}

/** @param {string} measure */
function nameOf(measure) {
  return CAPITALS.has(measure) ? measure.toUpperCase() : measure.replaceAll("_", " ");
}

/**
 * @param {Record<string, unknown>} content
 * @returns {[string, string][]}
 */
function dataset(content) {
  return Object.entries(content)
    .filter(([, value]) => typeof value === "string" || typeof value === "number")
    .map(([key, value]) => [
      hasText(`about.dataset.${key}`) ? t(`about.dataset.${key}`) : key.replaceAll("_", " "),
      // A seed is a name, not a quantity: no separators.
      typeof value === "number" && key !== "seed" ? number(value) : String(value),
    ]);
}

/** @param {[string, string][]} rows */
function facts(rows) {
  return el(
    "dl",
    { class: "facts" },
    ...rows.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
  );
}

/**
 * @param {string} heading
 * @param {Node[]} children
 */
function section(heading, children) {
  return el(
    "section",
    { class: "panel", "aria-labelledby": heading },
    el("h2", { id: heading }, t(heading)),
    ...children,
  );
}

/**
 * What every view is given.
 *
 * @typedef {object} Page
 * @property {import("./bundle.js").Bundle} bundle
 * @property {import("./recommender.js").BookRecommender} recommender
 * @property {import("./reranking.js").Reranking | null} reranking Null without a ranker.
 * @property {import("./shelf.js").Shelf} shelf
 * @property {import("./reading_lists/import.js").ReadingListImport} importer
 * @property {import("./notice.js").Notice} notice
 * @property {() => import("./search.js").TitleSearch} search
 *
 * A view fills its element, and fills it anew when what it shows changes, until it is left.
 *
 * @typedef {object} View
 * @property {string} title
 * @property {HTMLElement} node Has one h1.
 * @property {Promise<void>} [ready] Until then the node is not complete.
 *
 * @typedef {(page: Page, left: AbortSignal) => View} MakeView
 */

/**
 * Model ids of the books of the shelf that the catalogue has, oldest first.
 *
 * @param {Page} page
 * @returns {number[]}
 */
export function historyOf({ bundle, shelf }) {
  return idsOf(bundle, shelf.books);
}

/**
 * @param {Page} page
 * @returns {number[]}
 */
export function hiddenOf({ bundle, shelf }) {
  return idsOf(bundle, shelf.hidden);
}

/**
 * @param {import("./bundle.js").Bundle} bundle
 * @param {import("./shelf.js").ShelfBook[]} books
 */
function idsOf(bundle, books) {
  return books.flatMap(({ id }) => bundle.byItemId.get(id)?.id ?? []);
}

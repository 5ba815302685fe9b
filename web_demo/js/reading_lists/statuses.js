// What a shelf, a collection or a tag says of a book.

import { MAX_LENGTH, isLonger, plain } from "../text.js";

/** @typedef {"read" | "reading" | "to-read" | "abandoned"} Status */

/** @type {Map<string, Status>} */
const TAGS = new Map([
  ["abandoned", "abandoned"],
  ["did not finish", "abandoned"],
  ["dnf", "abandoned"],
  ["gave up", "abandoned"],
  ["gave up on", "abandoned"],
  ["read", "read"],
  ["already read", "read"],
  ["currently reading", "reading"],
  ["to read", "to-read"],
  ["tbr", "to-read"],
  ["unread", "to-read"],
  ["want to read", "to-read"],
  ["wishlist", "to-read"],
]);

/** @type {Map<string, Status>} */
const SHELVES = new Map([
  ...TAGS,
  // As a tag, these may describe the book itself, such as a series that is not finished.
  ["dropped", "abandoned"],
  ["stopped", "abandoned"],
  ["stopped reading", "abandoned"],
  ["unfinished", "abandoned"],
  ["completed", "read"],
  ["finished", "read"],
  ["read but unowned", "read"],
  ["true", "read"],
  ["yes", "read"],
  ["in progress", "reading"],
  ["on hold", "reading"],
  ["paused", "reading"],
  ["reading", "reading"],
  ["started", "reading"],
  ["false", "to-read"],
  ["for later", "to-read"],
  ["no", "to-read"],
  ["not started", "to-read"],
  ["planned", "to-read"],
  ["wish list", "to-read"],
]);

/** @type {Status[]} */
const STRONGEST_FIRST = ["abandoned", "read", "reading", "to-read"];

/**
 * @param {string[]} texts
 * @param {Map<string, Status>} words
 */
function findStatus(texts, words) {
  const statuses = texts
    .flatMap((text) => text.split(/[,|]/))
    .filter((name) => !isLonger(name, MAX_LENGTH))
    .map((name) => words.get(plain(name)));
  return STRONGEST_FIRST.find((status) => statuses.includes(status)) ?? null;
}

/**
 * @param {string[]} shelves
 * @param {string[]} tags
 * @param {{ isStopped: boolean, isFinished: boolean, isStarted: boolean, isUnread: boolean }} facts
 *   What dates, rating and read count say.
 * @returns {{ status: Status, isAssumed: boolean }} Assumed where nothing says that the book was
 *   read, nor that it was not.
 */
export function chooseStatus(shelves, tags, facts) {
  let status = findStatus(shelves, SHELVES);
  if (status === null || status === "read") {
    const tagStatus = findStatus(tags, TAGS);
    if (tagStatus === "abandoned" || status === null) status = tagStatus;
  }
  if (status) return { status, isAssumed: false };
  if (facts.isStopped) return { status: "abandoned", isAssumed: false };
  if (facts.isFinished) return { status: "read", isAssumed: false };
  if (facts.isStarted) return { status: "reading", isAssumed: false };
  if (facts.isUnread) return { status: "to-read", isAssumed: false };
  return { status: "read", isAssumed: true };
}

// The formats of reading lists, told apart by the names of their columns.

/**
 * @typedef {object} Columns Names in lower case. Of several the first with any content counts; of
 *   `isbns`, `moreAuthors` and `tags` all do.
 * @property {string[]} [author]
 * @property {string[]} [moreAuthors]
 * @property {string[]} [isbns]
 * @property {string[]} [rating]
 * @property {string[]} [shelf] Says whether the book was read.
 * @property {string[]} [tags] May say that it was not, where services have no shelf for this.
 * @property {string[]} [finished]
 * @property {string[]} [started]
 * @property {string[]} [stopped]
 * @property {string[]} [added]
 * @property {string[]} [readCount]
 *
 * @typedef {object} Format
 * @property {string} name
 * @property {string} service Its own name; empty for a table of no service.
 * @property {string[][]} signatures Groups of columns; a file with all columns of a group has this
 *   format.
 * @property {Columns} columns
 * @property {boolean} [isNewestFirst] Rows without dates are in order of time, newest first.
 */

/** @type {Format} */
export const OPENREADS = {
  name: "openreads",
  service: "Openreads",
  signatures: [["readings"], ["book_format"], ["olid"]],
  columns: {
    author: ["author"],
    isbns: ["isbn"],
    rating: ["rating"],
    shelf: ["status"],
    tags: ["tags"],
    finished: ["readings", "finish_date"],
    started: ["start_date"],
    added: ["date_added"],
  },
};

/** @type {Format} Tables of other services, and those that people write themselves. */
const TABLE = {
  name: "table",
  service: "",
  signatures: [[]],
  columns: {
    author: ["author", "authors", "author(s)", "creator", "creators"],
    moreAuthors: ["additional authors", "contributors"],
    isbns: ["isbn13", "isbn-13", "isbn_13", "isbn", "isbn10", "isbn-10", "isbn_10"],
    rating: ["my rating", "my ratings", "star rating", "rating"],
    shelf: ["exclusive shelf", "read status", "reading status", "status", "shelf", "bookshelf"],
    tags: ["bookshelves", "tags"],
    finished: [
      "date read",
      "last date read",
      "date finished",
      "finish date",
      "date_read",
      "date_finished",
      "finish_date",
      "finished",
      "read_at",
    ],
    started: ["date started", "start date", "date_started", "start_date", "started"],
    added: ["date added", "date_added", "added", "created on"],
    readCount: ["read count"],
  },
};

/** @type {Format[]} */
const FORMATS = [
  {
    name: "goodreads",
    service: "Goodreads",
    signatures: [["exclusive shelf"], ["author l-f"], ["book id", "my rating"]],
    columns: {
      author: ["author"],
      moreAuthors: ["additional authors"],
      isbns: ["isbn13", "isbn"],
      rating: ["my rating"],
      shelf: ["exclusive shelf"],
      tags: ["bookshelves"],
      finished: ["date read"],
      added: ["date added"],
      readCount: ["read count"],
    },
  },
  {
    name: "storygraph",
    service: "StoryGraph",
    signatures: [["isbn/uid"], ["read status", "star rating"]],
    columns: {
      author: ["authors"],
      moreAuthors: ["contributors"],
      isbns: ["isbn/uid"],
      rating: ["star rating"],
      shelf: ["read status"],
      tags: ["tags"],
      finished: ["last date read", "dates read"],
      added: ["date added"],
      readCount: ["read count"],
    },
  },
  {
    name: "librarything",
    service: "LibraryThing",
    signatures: [["primary author"]],
    columns: {
      author: ["primary author"],
      moreAuthors: ["secondary author"],
      isbns: ["isbns", "isbn"],
      rating: ["rating"],
      shelf: ["collections"],
      tags: ["tags"],
      finished: ["date read"],
      started: ["date started"],
      added: ["entry date"],
    },
  },
  {
    name: "calibre",
    service: "Calibre",
    signatures: [["author_sort"], ["title_sort"], ["series_index"], ["library_name"]],
    columns: {
      author: ["authors"],
      isbns: ["isbn"],
      rating: ["#my_rating", "#myrating", "rating"],
      // Calibre does not keep what was read: people add columns, and these are their usual names.
      shelf: ["#read", "#read_status", "#readstatus", "#reading_status", "#status"],
      tags: ["tags"],
      finished: [
        "#date_read",
        "#dateread",
        "#read_date",
        "#readdate",
        "#last_read",
        "#date_finished",
        "#finished",
      ],
      added: ["timestamp"],
    },
  },
  {
    name: "bookwyrm",
    service: "BookWyrm",
    signatures: [["author_text"]],
    columns: {
      author: ["author_text"],
      isbns: ["isbn_13", "isbn_10"],
      rating: ["rating"],
      shelf: ["shelf"],
      finished: ["finish_date"],
      started: ["start_date"],
      stopped: ["stopped_date"],
      added: ["shelf_date"],
    },
  },
  OPENREADS,
  {
    name: "openlibrary",
    service: "Open Library",
    signatures: [["work id", "bookshelf"]],
    columns: { author: ["authors"], rating: ["my ratings"], shelf: ["bookshelf"] },
    isNewestFirst: true,
  },
  TABLE,
];

/**
 * @param {string[]} names Columns of a file, in lower case.
 * @returns {Format}
 */
export function detectFormat(names) {
  const fits = (/** @type {Format} */ format) =>
    format.signatures.some((signature) => signature.every((name) => names.includes(name)));
  return FORMATS.find(fits) ?? TABLE;
}

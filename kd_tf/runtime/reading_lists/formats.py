"""The formats of reading lists, told apart by the names of their columns."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class ReadingListFormat:
    """The columns of a service's export. Names are in lower case.

    Where several columns are given, the first with any content counts; of `isbns`, `more_authors`
    and `tags` all do.

    Attributes:
        name: Name for programs.
        label: Name for people.
        signatures: Groups of columns; a file with all columns of a group has this format.
        author, more_authors, isbns, rating: What is known of the book, and its rating.
        shelf: Says whether the book was read.
        tags: May say that it was not, where services have no shelf for this.
        finish_date, start_date, stop_date, added_date: Dates.
        read_count: How often the book was read.
        is_newest_first: Whether rows without dates are in order of time, newest first.
    """

    name: str
    label: str
    signatures: tuple[frozenset[str], ...] = ()
    author: tuple[str, ...] = ()
    more_authors: tuple[str, ...] = ()
    isbns: tuple[str, ...] = ()
    rating: tuple[str, ...] = ()
    shelf: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    finish_date: tuple[str, ...] = ()
    start_date: tuple[str, ...] = ()
    stop_date: tuple[str, ...] = ()
    added_date: tuple[str, ...] = ()
    read_count: tuple[str, ...] = ()
    is_newest_first: bool = False


OPENREADS = ReadingListFormat(
    name="openreads",
    label="Openreads",
    signatures=(frozenset({"readings"}), frozenset({"book_format"}), frozenset({"olid"})),
    author=("author",),
    isbns=("isbn",),
    rating=("rating",),
    shelf=("status",),
    tags=("tags",),
    finish_date=("readings", "finish_date"),
    start_date=("start_date",),
    added_date=("date_added",),
)

TABLE = ReadingListFormat(
    name="table",
    label="a table",
    author=("author", "authors", "author(s)", "creator", "creators"),
    more_authors=("additional authors", "contributors"),
    isbns=("isbn13", "isbn-13", "isbn_13", "isbn", "isbn10", "isbn-10", "isbn_10"),
    rating=("my rating", "my ratings", "star rating", "rating"),
    shelf=("exclusive shelf", "read status", "reading status", "status", "shelf", "bookshelf"),
    tags=("bookshelves", "tags"),
    finish_date=(
        "date read",
        "last date read",
        "date finished",
        "finish date",
        "date_read",
        "date_finished",
        "finish_date",
        "finished",
        "read_at",
    ),
    start_date=("date started", "start date", "date_started", "start_date", "started"),
    added_date=("date added", "date_added", "added", "created on"),
    read_count=("read count",),
)
"""Columns of tables from other services, and of those that people write themselves."""

FORMATS = (
    ReadingListFormat(
        name="goodreads",
        label="Goodreads",
        signatures=(
            frozenset({"exclusive shelf"}),
            frozenset({"author l-f"}),
            frozenset({"book id", "my rating"}),
        ),
        author=("author",),
        more_authors=("additional authors",),
        isbns=("isbn13", "isbn"),
        rating=("my rating",),
        shelf=("exclusive shelf",),
        tags=("bookshelves",),
        finish_date=("date read",),
        added_date=("date added",),
        read_count=("read count",),
    ),
    ReadingListFormat(
        name="storygraph",
        label="StoryGraph",
        signatures=(frozenset({"isbn/uid"}), frozenset({"read status", "star rating"})),
        author=("authors",),
        more_authors=("contributors",),
        isbns=("isbn/uid",),
        rating=("star rating",),
        shelf=("read status",),
        tags=("tags",),
        finish_date=("last date read", "dates read"),
        added_date=("date added",),
        read_count=("read count",),
    ),
    ReadingListFormat(
        name="librarything",
        label="LibraryThing",
        signatures=(frozenset({"primary author"}),),
        author=("primary author",),
        more_authors=("secondary author",),
        isbns=("isbns", "isbn"),
        rating=("rating",),
        shelf=("collections",),
        tags=("tags",),
        finish_date=("date read",),
        start_date=("date started",),
        added_date=("entry date",),
    ),
    ReadingListFormat(
        name="calibre",
        label="Calibre",
        signatures=(
            frozenset({"author_sort"}),
            frozenset({"title_sort"}),
            frozenset({"series_index"}),
            frozenset({"library_name"}),
        ),
        author=("authors",),
        isbns=("isbn",),
        rating=("#my_rating", "#myrating", "rating"),
        # Calibre does not keep what was read: people add columns, and these are their usual names.
        shelf=("#read", "#read_status", "#readstatus", "#reading_status", "#status"),
        tags=("tags",),
        finish_date=(
            "#date_read",
            "#dateread",
            "#read_date",
            "#readdate",
            "#last_read",
            "#date_finished",
            "#finished",
        ),
        added_date=("timestamp",),
    ),
    ReadingListFormat(
        name="bookwyrm",
        label="BookWyrm",
        signatures=(frozenset({"author_text"}),),
        author=("author_text",),
        isbns=("isbn_13", "isbn_10"),
        rating=("rating",),
        shelf=("shelf",),
        finish_date=("finish_date",),
        start_date=("start_date",),
        stop_date=("stopped_date",),
        added_date=("shelf_date",),
    ),
    OPENREADS,
    ReadingListFormat(
        name="openlibrary",
        label="Open Library",
        signatures=(frozenset({"work id", "bookshelf"}),),
        author=("authors",),
        rating=("my ratings",),
        shelf=("bookshelf",),
        is_newest_first=True,
    ),
    TABLE,
)


def detect_format(columns: Collection[str]) -> ReadingListFormat:
    """Tells by the names of the columns which service wrote a file.

    Args:
        columns: Names in lower case.

    Returns:
        The first format with a signature among the columns; `TABLE` if no signature is.

    Example:
        >>> detect_format({"title", "primary author", "rating"}).label
        'LibraryThing'
    """
    for reading_format in FORMATS:
        if any(signature <= set(columns) for signature in reading_format.signatures):
            return reading_format
    return TABLE

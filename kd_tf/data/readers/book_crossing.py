"""Book-Crossing: ratings and bookshelves of the readers of bookcrossing.com."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from kd_tf.data.interactions import Dataset, from_chunks
from kd_tf.data.readers.bad_rows import BadRows, OnBadRows
from kd_tf.data.readers.delimited import InteractionColumns, InteractionRows
from kd_tf.data.readers.files import Source, find_all, locate
from kd_tf.data.readers.tables import Dialect, read_layout, read_table

Feedback = Literal["all", "explicit", "implicit"]

_OLD = Dialect(separator=";", header=True, escape="\\", encoding="latin-1")
_NEW = Dialect(separator=",", header=True)
_BOOKS = {
    "item_id": "ISBN",
    "title": "Book-Title",
    "authors": "Book-Author",
    "year": "Year-Of-Publication",
    "cover": "Image-URL-L",
}


def read_book_crossing(
    place: Path, *, feedback: Feedback = "all", on_bad_rows: OnBadRows = "stop"
) -> Dataset:
    """Reads ``BX-Book-Ratings.csv`` and ``BX-Books.csv``, or ``Ratings.csv`` and ``Books.csv``.

    The first are as their author published them: Latin-1, semicolons, every field in quotes,
    quotes inside fields behind a backslash, and HTML entities in titles. The second are the same
    tables in UTF-8 with commas, as they are handed on. A rating from 1 to 10 is explicit; 0 means
    that the book stood on the shelf without a rating. Many rated ISBNs are not in the book table:
    those books are known by their id only. Years that are none (0, names of publishers in shifted
    rows) are null. There are no times.
    Source: Ziegler et al., "Improving recommendation lists through topic diversification", 2005.

    Args:
        place: The folder or archive with both files, or the table of ratings.
        feedback: Which rows count: ``explicit`` ratings, ``implicit`` ones (0), or both.
        on_bad_rows: As in `kd_tf.data.readers.delimited.read_delimited`.

    Raises:
        UserError: The ratings are missing, or a row is bad.
    """
    old = find_all(place, "BX-Book-Ratings.csv")
    ratings = old[0] if old else locate(place, "Ratings.csv", dataset="Book-Crossing")
    inner = _Feedback(
        InteractionRows(
            ratings,
            InteractionColumns("User-ID", "ISBN", "Book-Rating"),
            on_bad_rows=on_bad_rows,
            dialect=_dialect(ratings),
        ),
        feedback,
    )
    books = find_all(place, "BX-Books.csv" if old else "Books.csv") if place != ratings.path else []
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    if books:
        catalog, notes = _books(books[0], on_bad_rows)
    dataset = inner.rows.noted(from_chunks("book-crossing", inner, catalog), notes)
    if not inner.other_rows:
        return dataset
    return dataclasses.replace(
        dataset,
        left_out={
            **dataset.left_out,
            f"rating that is not {feedback} feedback": inner.other_rows,
        },
    )


class _Feedback:
    """The rows of one kind of feedback; the others are counted."""

    def __init__(self, rows: InteractionRows, feedback: Feedback) -> None:
        self.rows, self.feedback = rows, feedback
        self.other_rows = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for chunk in self.rows:
            if self.feedback == "all":
                yield chunk
                continue
            kept = chunk.filter((chunk["rating"] > 0) == (self.feedback == "explicit"))
            self.other_rows += len(chunk) - len(kept)
            yield kept


def _dialect(source: Source) -> Dialect:
    """The original has semicolons, whatever the file is called."""
    layout = read_layout(source, dialect=Dialect(header=True, encoding="latin-1"))
    return _OLD if layout.separator == ";" else _NEW


def _books(source: Source, on_bad_rows: OnBadRows) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A catalogue frame, and notes on what was mended or left out."""
    bad = BadRows(source, on_bad_rows)
    parts = []
    for block in read_table(source, _BOOKS, bad, dialect=_dialect(source)):
        bad.settle()
        parts.append(block)
    frame = pl.concat(parts)
    notes = bad.finish(len(frame))
    repeated = ~frame["item_id"].is_first_distinct()
    if repeated.any():
        notes += (
            f"{int(repeated.sum())} books of {source.name} are repeats of an ISBN: the first stays",
        )
        frame = frame.filter(~repeated)
    year = frame["year"].str.strip_chars().cast(pl.Int32, strict=False)
    year = year.set(year == 0, None)
    given = frame["year"].str.strip_chars()
    strange = year.is_null() & ~given.is_in(["", "0"])
    if strange.any():
        notes += (
            f"{int(strange.sum())} books of {source.name} have a year that is none (the first is "
            f"{frame['year'].filter(strange)[0]!r}): they are kept without a year",
        )
    text = pl.col("title", "authors").map_elements(html.unescape, return_dtype=pl.String)
    return (
        frame.with_columns(text, year.alias("year"))
        .with_columns(pl.col("title", "authors", "cover").replace(["", "NULL"], None))
        .drop("line"),
        notes,
    )

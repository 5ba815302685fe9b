"""Book-Crossing: ratings and bookshelves of the readers of bookcrossing.com."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterator
from html.entities import html5
from pathlib import Path
from typing import Literal

import polars as pl

from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect, parse_column, read_layout, read_table
from kd_tf.data.formats.files import SourceFile, find_all, locate
from kd_tf.data.formats.lines import detect_encoding
from kd_tf.data.interactions import Dataset, from_chunks
from kd_tf.data.isbn import normalize_isbn
from kd_tf.data.sources.own_tables import InteractionColumns, InteractionRows, parse_ids
from kd_tf.errors import UserError

Feedback = Literal["all", "explicit", "implicit"]

_ITEM_COLUMNS = {
    "item_id": "ISBN",
    "title": "Book-Title",
    "authors": "Book-Author",
    "year": "Year-Of-Publication",
    "cover": "Image-URL-L",
    "smaller_cover": "Image-URL-M",
}

_TITLE_AND_AUTHOR = r'^(.*?)\\?";"?(.*?)"?$'
"""A title that swallowed the author: ``Title\\";Author"``."""

_ENTITY_PATTERN = re.compile(r"&#?\w+;")


def read_book_crossing(
    path: Path, *, feedback: Feedback = "all", on_bad_rows: OnBadRows = "stop"
) -> Dataset:
    r"""Reads ``BX-Book-Ratings.csv`` and ``BX-Books.csv``, or ``Ratings.csv`` and ``Books.csv``.

    The first are as their author published them: Latin-1, semicolons, every field in double
    quotes, ``\"`` for a quote inside a field. The second are the same tables in UTF-8 with commas,
    as others hand them on; three books there have title and author in one column and all that
    follows one column too early (``DK Publishing Inc`` is a year), which is put right and noted.

    A rating from 1 to 10 is explicit, higher is better; 0 is implicit: the reader has the book and
    did not rate it. ``feedback`` chooses; ``rating`` has the number as it is. There are no times.
    One in ten ratings names an ISBN that is not in the book table, or that is none: those books
    are known by what stands there. Titles and authors lose their HTML entities (``&amp;``);
    ``NULL`` and the year 0 are missing values; a year that is no number is missing too, and
    counted in a note. The cover is the address of the large picture.
    Source: Ziegler, McNee, Konstan and Lausen, "Improving recommendation lists through topic
    diversification", 2005; http://www2.informatik.uni-freiburg.de/~cziegler/BX/

    Args:
        place: The folder or archive with both files, or the file of ratings alone.
        feedback: Which rows count: "explicit" ratings, "implicit" ones (0), or "all". The others
            are counted in ``Dataset.left_out``.
        on_bad_rows: As in `kd_tf.data.sources.own_tables.read_delimited`.

    Raises:
        UserError: The ratings are missing, a row is bad, or no row is of the chosen feedback.
    """
    original = find_all(path, "BX-Book-Ratings.csv")
    ratings = (
        original[0]
        if original
        else locate(path, "Ratings.csv", dataset="Book-Crossing, nor BX-Book-Ratings.csv")
    )
    items = find_all(path, "BX-Books.csv" if original else "Books.csv")
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    if items:
        catalog, notes = _read_items(items[0], on_bad_rows)
    chosen = _FeedbackFilter(
        InteractionRows(
            ratings,
            InteractionColumns("User-ID", "ISBN", "Book-Rating"),
            on_bad_rows=on_bad_rows,
            dialect=_detect_dialect(ratings),
        ),
        feedback,
    )
    dataset = chosen.rows.add_notes_to(from_chunks("book-crossing", chosen, catalog), notes)
    if not chosen.num_excluded:
        return dataset
    reason = f"rating that is not {feedback} feedback"
    return dataclasses.replace(
        dataset, dropped_rows={**dataset.dropped_rows, reason: chosen.num_excluded}
    )


class _FeedbackFilter:
    """The rows of the chosen feedback; the others are counted.

    Attributes:
        others: Known after the last row.

    Args:
        rows: All of them.
        feedback: The choice.
    """

    def __init__(self, rows: InteractionRows, feedback: Feedback) -> None:
        self.rows, self.feedback = rows, feedback
        self.num_excluded = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        found = 0
        for chunk in self.rows:
            chosen = chunk
            if self.feedback != "all":
                chosen = chunk.filter((chunk["rating"] > 0) == (self.feedback == "explicit"))
            found += len(chosen)
            self.num_excluded += len(chunk) - len(chosen)
            yield chosen
        if not found:
            raise UserError(
                f"no row is {self.feedback} feedback",
                where=str(self.rows.source),
                hint="Choose all, explicit (1 to 10) or implicit (0).",
            )


def _detect_dialect(source: SourceFile) -> Dialect:
    """Told by the header: copies of both forms go by either name."""
    layout = read_layout(source, dialect=Dialect(has_header=True, encoding="latin-1"))
    if layout.separator != ";":
        return Dialect(separator=",", has_header=True)
    return Dialect(
        separator=";", has_header=True, escape_char="\\", encoding=detect_encoding(source)
    )


def _read_items(source: SourceFile, on_bad_rows: OnBadRows) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A catalogue frame in the order of the file, and notes on what was mended or left out."""
    bad = BadRows(source, on_bad_rows)
    parts = []
    for block in read_table(source, _ITEM_COLUMNS, bad, dialect=_detect_dialect(source)):
        frame = parse_column(
            block, "item_id", parse_ids, bad, column="ISBN", reason="is no book's ISBN"
        )
        bad.raise_or_skip()
        parts.append(frame)
    items = pl.concat(parts)
    repeated = items.filter(~pl.col("item_id").is_first_distinct())
    bad.add_all(repeated["line"], repeated["item_id"], "is the ISBN of a book above", "ISBN")
    bad.raise_or_skip()
    items = items.filter(pl.col("item_id").is_first_distinct()).drop("line")
    notes = bad.finish(len(items))
    texts = pl.exclude("item_id").str.strip_chars()
    items = items.with_columns(texts.replace(["", "NULL"], None))
    shifted = _find_shifted_rows(items)
    if shifted.any():
        items = _restore_columns(items, shifted)
        notes += (
            f"{int(shifted.sum())} books of {source.name} had title and author in one column (the "
            f"first is {items['item_id'].filter(shifted)[0]!r}): their columns were put right",
        )
    year = _parse_years(items["year"])
    strange = year.is_null() & items["year"].is_not_null()
    if strange.any():
        notes += (
            f"{int(strange.sum())} books of {source.name} have a year that is no number (the "
            f"first is {items['year'].filter(strange)[0]!r}): they are kept without a year",
        )
    return (
        items.with_columns(
            _decode_entities(items["title"]),
            _decode_entities(items["authors"]),
            year.set(year == 0, None),
            normalize_isbn(items["item_id"]).alias("isbn"),
        ).drop("smaller_cover"),
        notes,
    )


def _find_shifted_rows(items: pl.DataFrame) -> pl.Series:
    """Boolean [n]: where the author is in the title, and the year where the author should be."""
    return items.select(
        pl.col("title").str.contains('";', literal=True).fill_null(value=False)
        & _parse_years(items["year"]).is_null()
        & _parse_years(items["authors"]).is_not_null()
    ).to_series()


def _restore_columns(items: pl.DataFrame, shifted: pl.Series) -> pl.DataFrame:
    parts = pl.col("title").str.extract_groups(_TITLE_AND_AUTHOR)
    right = {
        "title": parts.struct.field("1"),
        "authors": parts.struct.field("2"),
        "year": pl.col("authors"),
        "cover": pl.col("smaller_cover"),  # the large one stands where the smaller belongs
    }
    return items.with_columns(
        pl.when(shifted).then(expression).otherwise(pl.col(name)).alias(name)
        for name, expression in right.items()
    )


def _parse_years(values: pl.Series) -> pl.Series:
    """Int32, null where a text is no whole number."""
    return values.str.replace(r"\.0$", "").cast(pl.Int32, strict=False)


def _decode_entities(values: pl.Series) -> pl.Series:
    """Whole entities only: `html.unescape` alone would find a paragraph sign in "Q&sections"."""
    coded = values.str.contains("&", literal=True).fill_null(value=False)
    plain = [_ENTITY_PATTERN.sub(_decode_entity, text) for text in values.filter(coded)]
    return values.scatter(coded.arg_true(), plain)


def _decode_entity(entity: re.Match[str]) -> str:
    name = entity[0].removeprefix("&")
    return html.unescape(entity[0]) if name.startswith("#") or name in html5 else entity[0]

"""Reads Book-Crossing: ratings and bookshelves of the users of bookcrossing.com."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterator
from html.entities import html5
from pathlib import Path
from typing import Literal

import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect, parse_column, read_layout, read_table
from kd_tf.data.formats.files import SourceFile, find_all, locate
from kd_tf.data.formats.lines import detect_encoding
from kd_tf.data.formats.tables import open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns, InteractionRows
from kd_tf.data.values.ids import parse_ids
from kd_tf.data.values.isbn import normalize_isbn
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
"""A title field that also contains the author: ``Title\\";Author"``."""

_ENTITY_PATTERN = re.compile(r"&#?\w+;")


def read_book_crossing(
    path: Path, *, feedback: Feedback = "all", on_bad_rows: OnBadRows = "stop"
) -> Dataset:
    r"""Reads ``BX-Book-Ratings.csv`` and ``BX-Books.csv``, or ``Ratings.csv`` and ``Books.csv``.

    The first pair is the original: Latin-1, semicolons, every field in double quotes, ``\"`` for a
    quote inside a field. The second pair holds the same tables in UTF-8 with commas, as others
    redistribute them. Three books there have title and author in one column and all following
    values one column too early (``DK Publishing Inc`` is a year); this is corrected and noted.

    Ratings from 1 to 10 are explicit, higher is better; 0 is implicit: the user has the book but
    did not rate it. `feedback` selects the rows; ``rating`` keeps the number. There are no
    timestamps. One in ten ratings has an ISBN that is not in the book table or is invalid; that
    text is then the item id. HTML entities (``&amp;``) in titles and authors are decoded. ``NULL``
    and the year 0 are missing values; a year that is not a number is missing too and counted in a
    note. The cover is the URL of the large picture.

    Source: Ziegler, McNee, Konstan and Lausen, "Improving recommendation lists through topic
    diversification", 2005; http://www2.informatik.uni-freiburg.de/~cziegler/BX/

    Args:
        path: The folder or archive with both files, or the file of ratings alone.
        feedback: The rows to keep: "explicit" ratings, "implicit" ones (0), or "all". The others
            are counted in `Dataset.dropped_rows`.
        on_bad_rows: As in `kd_tf.data.sources.own_tables.read_delimited`.

    Raises:
        UserError: The ratings are missing, a row is bad, or no row has the chosen feedback.
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
    selection = _FeedbackFilter(
        InteractionRows(
            open_table(ratings, _detect_dialect(ratings)),
            InteractionColumns("User-ID", "ISBN", "Book-Rating"),
            on_bad_rows=on_bad_rows,
        ),
        feedback,
    )
    dataset = selection.rows.add_notes_to(from_chunks("book-crossing", selection, catalog), notes)
    if not selection.num_excluded:
        return dataset
    reason = f"rating that is not {feedback} feedback"
    return dataclasses.replace(
        dataset, dropped_rows={**dataset.dropped_rows, reason: selection.num_excluded}
    )


class _FeedbackFilter:
    """The rows of one kind of feedback; the other rows are counted.

    Args:
        rows: All rows.
        feedback: The feedback to keep.

    Attributes:
        rows: All rows.
        feedback: The feedback to keep.
        num_excluded: The number of other rows; complete after the last row.
    """

    def __init__(self, rows: InteractionRows, feedback: Feedback) -> None:
        self.rows, self.feedback = rows, feedback
        self.num_excluded = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        num_kept = 0
        for chunk in self.rows:
            selection = chunk
            if self.feedback != "all":
                selection = chunk.filter((chunk["rating"] > 0) == (self.feedback == "explicit"))
            num_kept += len(selection)
            self.num_excluded += len(chunk) - len(selection)
            yield selection
        if not num_kept:
            raise UserError(
                f"no row has {self.feedback} feedback",
                where=self.rows.table.locate(1),
                hint="Choose all, explicit (1 to 10) or implicit (0).",
            )


def _detect_dialect(source: SourceFile) -> Dialect:
    """Detects the format from the header, because both formats exist under both file names."""
    layout = read_layout(source, dialect=Dialect(has_header=True, encoding="latin-1"))
    if layout.separator != ";":
        return Dialect(separator=",", has_header=True)
    return Dialect(
        separator=";", has_header=True, escape_char="\\", encoding=detect_encoding(source)
    )


def _read_items(source: SourceFile, on_bad_rows: OnBadRows) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Reads a catalog frame in the order of the file, and notes on corrected and skipped rows."""
    bad_rows = BadRows(source, on_bad_rows)
    parts = []
    for block in read_table(source, _ITEM_COLUMNS, bad_rows, dialect=_detect_dialect(source)):
        frame = parse_column(
            block, "item_id", parse_ids, bad_rows, column="ISBN", reason="is not the ISBN of a book"
        )
        bad_rows.raise_or_skip()
        parts.append(frame)
    items = pl.concat(parts)
    repeated_items = items.filter(~pl.col("item_id").is_first_distinct())
    bad_rows.add_all(
        repeated_items["line"],
        repeated_items["item_id"],
        "is the ISBN of a book in an earlier line",
        "ISBN",
    )
    bad_rows.raise_or_skip()
    items = items.filter(pl.col("item_id").is_first_distinct()).drop("line")
    notes = bad_rows.finish(len(items))
    text_columns = pl.exclude("item_id").str.strip_chars()
    items = items.with_columns(text_columns.replace(["", "NULL"], None))
    is_shifted = _find_shifted_rows(items)
    if is_shifted.any():
        items = _restore_columns(items, is_shifted)
        notes += (
            f"{int(is_shifted.sum())} books of {source.name} had title and author in one column "
            f"(the first is {items['item_id'].filter(is_shifted)[0]!r}): this was corrected",
        )
    year = _parse_years(items["year"])
    is_bad_year = year.is_null() & items["year"].is_not_null()
    if is_bad_year.any():
        notes += (
            f"{int(is_bad_year.sum())} books of {source.name} have a year that is not a number "
            f"(the first is {items['year'].filter(is_bad_year)[0]!r}): they are kept without a "
            "year",
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
    """Finds rows whose title contains the author and whose author is the year: Boolean [n]."""
    return items.select(
        pl.col("title").str.contains('";', literal=True).fill_null(value=False)
        & _parse_years(items["year"]).is_null()
        & _parse_years(items["authors"]).is_not_null()
    ).to_series()


def _restore_columns(items: pl.DataFrame, is_shifted: pl.Series) -> pl.DataFrame:
    """Moves the values of shifted rows back to their columns."""
    parts = pl.col("title").str.extract_groups(_TITLE_AND_AUTHOR)
    corrected_columns = {
        "title": parts.struct.field("1"),
        "authors": parts.struct.field("2"),
        "year": pl.col("authors"),
        "cover": pl.col("smaller_cover"),  # the large picture is in the column of the smaller one
    }
    return items.with_columns(
        pl.when(is_shifted).then(expression).otherwise(pl.col(name)).alias(name)
        for name, expression in corrected_columns.items()
    )


def _parse_years(values: pl.Series) -> pl.Series:
    """Parses texts to Int32, null where a text is not a whole number."""
    return values.str.replace(r"\.0$", "").cast(pl.Int32, strict=False)


def _decode_entities(values: pl.Series) -> pl.Series:
    """Decodes complete HTML entities; `html.unescape` would find a "§" in "Q&sections"."""
    has_entity = values.str.contains("&", literal=True).fill_null(value=False)
    decoded_texts = [
        _ENTITY_PATTERN.sub(_decode_entity, text) for text in values.filter(has_entity)
    ]
    return values.scatter(has_entity.arg_true(), decoded_texts)


def _decode_entity(entity: re.Match[str]) -> str:
    """Decodes one entity; an unknown name stays as it is."""
    name = entity[0].removeprefix("&")
    return html.unescape(entity[0]) if name.startswith("#") or name in html5 else entity[0]

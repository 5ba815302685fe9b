"""Reads both releases of goodbooks-10k: ratings of 10,000 popular books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import OnBadRows
from kd_tf.data.formats.delimited import Dialect
from kd_tf.data.formats.files import SourceFile, locate
from kd_tf.data.formats.tables import open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns, InteractionRows
from kd_tf.data.sources.item_rows import ItemColumns, read_items
from kd_tf.errors import UserError

NAME = "goodbooks-10k"

MIN_RATING = 4.0
"""Users rate from 1 to 5: 4 and 5 count as positive unless cleaning rules say otherwise."""


def read_goodbooks(path: Path, *, on_bad_rows: OnBadRows = "stop") -> Dataset:
    """Reads ``ratings.csv`` and ``books.csv``, plain or packed.

    In the first release ``ratings.book_id`` is ``books.id`` (``books.book_id`` is the Goodreads
    id); in the second it is ``books.book_id``. The header of the book table tells the release.
    Both have ratings from 1 to 5 and no timestamps. The first repeats 2,278 pairs of user and
    book, which are kept here (see `kd_tf.data.clean`).

    Source: https://github.com/zygmuntz/goodbooks-10k

    Args:
        path: The folder or archive with both files.
        on_bad_rows: As in `kd_tf.data.sources.own_tables.read_delimited`.

    Raises:
        UserError: A file is missing or is not part of goodbooks-10k, or a row is bad.
    """
    ratings = locate(path, "ratings.csv", dataset=NAME)
    items = locate(path, "books.csv", dataset=NAME)
    item_table = open_table(items, Dialect(has_header=True))
    names = item_table.list_columns()
    catalog, notes = read_items(
        item_table,
        ItemColumns(
            item_id=_find_id_column(items, names),
            title="title",
            authors="authors",
            year="original_publication_year",
            cover="image_url",
            # The column isbn13 is unusable: a spreadsheet rounded it to twelve digits.
            isbn="isbn" if "isbn" in names else None,
        ),
        on_bad_rows=on_bad_rows,
    )
    rows = InteractionRows(
        open_table(ratings),
        InteractionColumns("user_id", "book_id", rating="rating"),
        on_bad_rows=on_bad_rows,
    )
    dataset = from_chunks(NAME, rows, catalog.with_columns(series=_extract_series()))
    return rows.add_notes_to(replace(dataset, default_min_rating=MIN_RATING), notes)


def _find_id_column(items: SourceFile, names: Sequence[str]) -> str:
    """Returns the column of the book table that the ratings refer to, by release."""
    if "id" in names:
        return "id"
    if "goodreads_book_id" in names:
        return "book_id"
    raise UserError(
        "this table is of neither release of goodbooks-10k: it has no column 'id' or "
        f"'goodreads_book_id'; its columns are {', '.join(map(repr, names))}",
        where=f"{items}:1",
        hint="Give the published file, or read the table as your own CSV with named columns.",
    )


def _extract_series() -> pl.Expr:
    """Extracts the series from "The Fellowship of the Ring (The Lord of the Rings, #1)"."""
    name = pl.col("title").str.extract(r"\(([^()#]*[^()#,\s])[,\s]*#[^()]*\)\s*$")
    return name.str.strip_chars()

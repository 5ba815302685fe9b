"""goodbooks-10k: ratings of 10,000 popular books, in both forms that its publisher released."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl

from kd_tf.data.interactions import Dataset, from_frame
from kd_tf.data.readers.delimited import (
    BookColumns,
    InteractionColumns,
    read_books,
    read_interactions,
)
from kd_tf.data.readers.tables import OnBadRows, header
from kd_tf.errors import UserError


def read_goodbooks(data_dir: Path, *, on_bad_rows: OnBadRows = "stop") -> Dataset:
    """Reads ``ratings.csv`` and ``books.csv``, or both as published: ``.csv.zip``.

    In the first release ``ratings.book_id`` is ``books.id`` (``books.book_id`` is Goodreads'
    own); in the second it is ``books.book_id``. The header of the book table tells which one
    it is. Both have ratings from 1 to 5 and no timestamps; the first repeats 2,278 pairs of
    reader and book, which stay in here (see `kd_tf.data.clean`).
    Source: https://github.com/zygmuntz/goodbooks-10k

    Args:
        data_dir: The folder with both files.
        on_bad_rows: As in `kd_tf.data.readers.delimited.read_delimited`.

    Raises:
        UserError: A file is missing, or is not the one of goodbooks-10k; a row is bad.
    """
    ratings, books = _find(data_dir, "ratings"), _find(data_dir, "books")
    catalog, book_notes = read_books(
        books,
        BookColumns(
            item_id=_id_column(books),
            title="title",
            authors="authors",
            year="original_publication_year",
            cover="image_url",
        ),
        on_bad_rows=on_bad_rows,
    )
    interactions, notes = read_interactions(
        ratings, InteractionColumns("user_id", "book_id", rating="rating"), on_bad_rows=on_bad_rows
    )
    dataset = from_frame("goodbooks-10k", interactions, catalog.with_columns(series=_series()))
    return dataclasses.replace(dataset, notes=notes + book_notes + dataset.notes)


def _find(data_dir: Path, table: str) -> Path:
    names = [f"{table}.csv.zip", f"{table}.csv"]
    for name in names:
        if (data_dir / name).is_file():
            return data_dir / name
    if not data_dir.is_dir():
        raise UserError(
            "there is no such folder", where=str(data_dir), hint="Name the folder of goodbooks-10k."
        )
    has = ", ".join(sorted(path.name for path in data_dir.iterdir())) or "nothing"
    raise UserError(
        f"there is neither {names[0]} nor {names[1]}",
        where=str(data_dir),
        hint=f"Put the published file there. The folder has: {has}.",
    )


def _id_column(books: Path) -> str:
    names = header(books)
    if "id" in names:
        return "id"
    if "goodreads_book_id" in names:
        return "book_id"
    raise UserError(
        "this is the book table of neither release of goodbooks-10k: it has no column 'id' and "
        f"none 'goodreads_book_id', but {', '.join(map(repr, names))}",
        where=f"{books}:1",
        hint="Give the published file, or read your own table as CSV with named columns.",
    )


def _series() -> pl.Expr:
    """The name before the number in "The Fellowship of the Ring (The Lord of the Rings, #1)"."""
    name = pl.col("title").str.extract(r"\(([^()#]*[^()#,\s])[,\s]*#[^()]*\)\s*$")
    return name.str.strip_chars()

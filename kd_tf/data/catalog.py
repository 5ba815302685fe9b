"""The books: one row each, in the order that gives a book its id in the model."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kd_tf.errors import UserError

COLUMNS = {
    "item_id": pl.String,
    "title": pl.String,
    "authors": pl.String,
    "series": pl.String,
    "genre": pl.String,
    "year": pl.Int32,
    "text": pl.String,
    "cover": pl.String,
    "isbn": pl.String,
}
"""Every column that a catalogue can have; only ``item_id`` must be there. ``isbn`` has 13 digits
(`kd_tf.data.isbn`)."""


_TEXT_COLUMNS = ("title", "authors", "series", "genre", "text")


@dataclass(frozen=True)
class Catalog:
    """The books of a data set; row ``i`` is the book with model id ``i + 1`` (0 is padding).

    Attributes:
        frame: One row a book. Columns are a subset of `COLUMNS` with those types; ``item_id``,
            the caller's own id, is present, unique and never null.
    """

    frame: pl.DataFrame

    def __post_init__(self) -> None:
        unknown = [name for name in self.frame.columns if name not in COLUMNS]
        if "item_id" not in self.frame.columns or unknown:
            raise ValueError(
                f"a catalogue has item_id and any of {list(COLUMNS)}, not {self.frame.columns}"
            )
        if self.frame.is_empty():
            raise UserError(
                "the catalogue has no books", hint="Give a table with at least one row."
            )
        ids = self.frame["item_id"]
        if ids.null_count():
            row = int(ids.is_null().arg_true()[0])
            raise UserError("a book has no id", where=f"catalogue row {row + 1}")
        if ids.n_unique() != len(ids):
            twice = ids.filter(ids.is_duplicated())[0]
            raise UserError(
                f"two books have the id {twice!r}", hint="Every book needs an id of its own."
            )

    def __len__(self) -> int:
        return self.frame.height

    @property
    def item_ids(self) -> list[str]:
        """The caller's own ids in model order: position ``i`` is model id ``i + 1``."""
        return self.frame["item_id"].to_list()

    def to_texts(self) -> list[str]:
        """All that the catalogue says of each book in words, in model order; "" where nothing."""
        columns = [pl.col(column) for column in _TEXT_COLUMNS if column in self.frame.columns]
        if not columns:
            return [""] * len(self)
        words = pl.concat_str(columns, separator=" ", ignore_nulls=True)
        return self.frame.select(words).to_series().to_list()

    def label(self, item: int) -> str:
        """How a person knows the book with model id `book`: title and author, or its id."""
        if not 1 <= item <= len(self):
            raise ValueError(f"book must be in 1..{len(self)}, not {item}")
        row = self.frame.row(item - 1, named=True)
        title = row.get("title") or f"book {row['item_id']}"
        return f"{title} ({row['authors']})" if row.get("authors") else title

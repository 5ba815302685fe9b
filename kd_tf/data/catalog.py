"""The catalog: one row per item, in the order of the model's item ids."""

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
"""All columns that a catalog can have; only ``item_id`` is required. ``isbn`` has 13 digits
(`kd_tf.data.values.isbn`)."""


_TEXT_COLUMNS = ("title", "authors", "series", "genre", "text")


@dataclass(frozen=True)
class Catalog:
    """The items of a data set; row ``i`` is the item with model id ``i + 1`` (0 is padding).

    Attributes:
        frame: One row per item. Columns are a subset of `COLUMNS` with those types; ``item_id``,
            the external id, is present, unique and never null.

    Raises:
        UserError: There are no items, or an id is missing or occurs twice.
        ValueError: ``item_id`` is missing, or a column is unknown.

    Example:
        >>> import polars as pl
        >>> catalog = Catalog(pl.DataFrame({"item_id": ["a", "b"], "title": ["Dune", "Emma"]}))
        >>> len(catalog), catalog.item_ids
        (2, ['a', 'b'])
        >>> catalog.label(2)
        'Emma'
    """

    frame: pl.DataFrame

    def __post_init__(self) -> None:
        unknown = [name for name in self.frame.columns if name not in COLUMNS]
        if "item_id" not in self.frame.columns or unknown:
            raise ValueError(
                f"a catalog has item_id and any of {list(COLUMNS)}, not {self.frame.columns}"
            )
        if self.frame.is_empty():
            raise UserError("the catalog has no items", hint="Give a table with at least one row.")
        ids = self.frame["item_id"]
        if ids.null_count():
            row = int(ids.is_null().arg_true()[0])
            raise UserError("an item has no id", where=f"catalog row {row + 1}")
        if ids.n_unique() != len(ids):
            duplicate = ids.filter(ids.is_duplicated())[0]
            raise UserError(
                f"two items have the id {duplicate!r}", hint="Give every item a unique id."
            )

    def __len__(self) -> int:
        return self.frame.height

    @property
    def item_ids(self) -> list[str]:
        """External ids in model order: position ``i`` is model id ``i + 1``."""
        return self.frame["item_id"].to_list()

    def to_texts(self) -> list[str]:
        """Joins the text columns of each item, in model order; "" where there is no text."""
        columns = [pl.col(column) for column in _TEXT_COLUMNS if column in self.frame.columns]
        if not columns:
            return [""] * len(self)
        words = pl.concat_str(columns, separator=" ", ignore_nulls=True)
        return self.frame.select(words).to_series().to_list()

    def label(self, item: int) -> str:
        """Returns title and author of the item with model id `item`, or its external id."""
        if not 1 <= item <= len(self):
            raise ValueError(f"item must be in 1..{len(self)}, not {item}")
        row = self.frame.row(item - 1, named=True)
        title = row.get("title") or f"book {row['item_id']}"
        return f"{title} ({row['authors']})" if row.get("authors") else title

"""The catalog: one row per item, in the order of the model's item ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
"""The columns of a catalog that every part of the program knows; only ``item_id`` is required.
``isbn`` has 13 digits (`kd_tf.data.values.isbn`)."""

TEXT_COLUMNS = ("title", "authors", "series", "genre", "text")
"""The columns of `COLUMNS` that say what an item is about."""


@dataclass(frozen=True)
class Catalog:
    """The items of a data set; row ``i`` is the item with model id ``i + 1`` (0 is padding).

    Attributes:
        frame: One row per item. ``item_id``, the external id, is present, unique and never null.
            Further columns are those of `COLUMNS` with their types, and any columns of text, which
            encoders can read (`kd_tf.data.features.content`).

    Raises:
        UserError: There are no items, or an id is missing or occurs twice.
        ValueError: ``item_id`` is missing, or a column has another type.

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
        if "item_id" not in self.frame.columns:
            raise ValueError(f"a catalog has a column item_id, not only {self.frame.columns}")
        for name, dtype in self.frame.schema.items():
            if dtype != COLUMNS.get(name, pl.String):
                raise ValueError(
                    f"the column {name} of a catalog is {COLUMNS.get(name, pl.String)}, not {dtype}"
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

    def to_texts(self, columns: Sequence[str] | None = None) -> list[str]:
        """Joins text columns of each item, in model order; "" where there is no text.

        Args:
            columns: Their names; by default all of `TEXT_COLUMNS` that the catalog has.

        Raises:
            UserError: The catalog has no such column.
        """
        if columns is None:
            columns = [name for name in TEXT_COLUMNS if name in self.frame.columns]
        for name in columns:
            if self.frame.schema.get(name) != pl.String:
                raise UserError(
                    f"the catalog has no text column {name!r}",
                    hint=f"It has {', '.join(self.list_text_columns()) or 'none'}. More can be "
                    "joined from a table: --item-table FILE --item-table-id COLUMN.",
                )
        if not columns:
            return [""] * len(self)
        words = pl.concat_str([pl.col(name) for name in columns], separator=" ", ignore_nulls=True)
        return self.frame.select(words).to_series().to_list()

    def list_text_columns(self) -> list[str]:
        """Lists the columns that hold texts about the items."""
        return [
            name
            for name, dtype in self.frame.schema.items()
            if dtype == pl.String and name not in ("item_id", "cover", "isbn")
        ]

    def list_known_rows(self) -> list[dict[str, Any]]:
        """Lists the items with the columns of `COLUMNS` only, as a bundle holds them."""
        return self.frame.select(name for name in COLUMNS if name in self.frame.columns).to_dicts()

    def label(self, item: int) -> str:
        """Returns title and author of the item with model id `item`, or its external id."""
        if not 1 <= item <= len(self):
            raise ValueError(f"item must be in 1..{len(self)}, not {item}")
        row = self.frame.row(item - 1, named=True)
        title = row.get("title") or f"book {row['item_id']}"
        return f"{title} ({row['authors']})" if row.get("authors") else title

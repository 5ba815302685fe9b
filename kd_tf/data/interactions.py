"""Who read what: validated columns with contiguous ids and the way back to the caller's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kd_tf.data.catalog import Catalog
from kd_tf.errors import UserError


@dataclass(frozen=True)
class Interactions:
    """One row for each time that a reader read, rated or opened a book.

    Attributes:
        user: int32 [n], 0..U-1, every value at least once.
        item: int32 [n], 1..V: the book's model id, which is its catalogue row + 1.
        rating: float32 [n], finite, or None.
        timestamp: int64 [n], seconds since 1970 (negative before), or None.
        user_ids: The caller's own reader ids; ``user_ids[u]`` is reader ``u``.
        books: V, the number of books in the catalogue.
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray | None
    timestamp: np.ndarray | None
    user_ids: list[str]
    books: int

    def __post_init__(self) -> None:
        rows = len(self.user)
        for name, column in (
            ("item", self.item),
            ("rating", self.rating),
            ("timestamp", self.timestamp),
        ):
            if column is not None and len(column) != rows:
                raise ValueError(f"{name} has {len(column)} rows, user has {rows}")
        if rows and (self.item.min() < 1 or self.item.max() > self.books):
            raise ValueError(f"item must be in 1..{self.books}")

    def __len__(self) -> int:
        return len(self.user)

    @property
    def users(self) -> int:
        """U, the number of readers."""
        return len(self.user_ids)

    def keep(self, rows: np.ndarray) -> Interactions:
        """The interactions where boolean `rows` [n] is true; readers left without any go."""
        left, user = np.unique(self.user[rows], return_inverse=True)
        return Interactions(
            user=user.astype(np.int32),
            item=self.item[rows],
            rating=None if self.rating is None else self.rating[rows],
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            user_ids=[self.user_ids[u] for u in left],
            books=self.books,
        )


@dataclass(frozen=True)
class Dataset:
    """What a reader (a function in `kd_tf.data.readers`) gives: interactions and their books.

    Attributes:
        name: Names the data in tables and file names.
        interactions: Who read what.
        catalog: The books; ``len(catalog) == interactions.books``.
        notes: What the reader found that a person should know, one sentence each.
    """

    name: str
    interactions: Interactions
    catalog: Catalog
    notes: tuple[str, ...] = ()


def from_frame(name: str, frame: pl.DataFrame, books: pl.DataFrame | None = None) -> Dataset:
    """Numbers readers and books and joins both tables.

    Readers are numbered in the order of their first row. Books are numbered in the order of
    `books`; those that only `frame` names follow after them, in the order of their first row.

    Args:
        name: Names the data.
        frame: Columns ``user`` and ``item`` (strings, no nulls), optionally ``rating``
            (float, no nulls) and ``timestamp`` (Int64 seconds, no nulls).
        books: A catalogue frame as `Catalog` describes it, or None where only ids are known.

    Raises:
        UserError: `frame` is empty, or two books share an id.
    """
    if frame.is_empty():
        raise UserError("the table has no interactions", hint="Give a table with at least one row.")
    notes = []
    readers = frame["user"].unique(maintain_order=True)
    seen = frame["item"].unique(maintain_order=True)
    if books is None:
        catalog = Catalog(pl.DataFrame({"item_id": seen}))
    else:
        listed = Catalog(books)  # checks the ids before anything is joined on them
        unlisted = seen.filter(~seen.is_in(listed.frame["item_id"].implode()))
        if len(unlisted):
            notes.append(
                f"{len(unlisted)} books were read but are not in the book table (the first is "
                f"{unlisted[0]!r}): they are known by their id only"
            )
        extra = pl.DataFrame({"item_id": unlisted})
        catalog = Catalog(pl.concat([listed.frame, extra], how="diagonal"))
        unread = len(catalog) - len(seen)
        if unread:
            notes.append(
                f"{unread} books of {len(catalog)} were never read: they keep their place in "
                "the catalogue but cannot be recommended well"
            )
    numbered = frame.join(
        pl.DataFrame({"user": readers}).with_row_index("u"), on="user", maintain_order="left"
    ).join(
        catalog.frame.select(pl.col("item_id").alias("item")).with_row_index("i", offset=1),
        on="item",
        maintain_order="left",
    )
    return Dataset(
        name=name,
        interactions=Interactions(
            user=numbered["u"].to_numpy().astype(np.int32),
            item=numbered["i"].to_numpy().astype(np.int32),
            rating=_column(numbered, "rating", np.float32),
            timestamp=_column(numbered, "timestamp", np.int64),
            user_ids=readers.to_list(),
            books=len(catalog),
        ),
        catalog=catalog,
        notes=tuple(notes),
    )


def _column(frame: pl.DataFrame, name: str, dtype: type) -> np.ndarray | None:
    return frame[name].to_numpy().astype(dtype) if name in frame.columns else None

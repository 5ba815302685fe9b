"""Who read what: validated columns with contiguous ids and the way back to the caller's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
        weight: float32 [n], above 0: how much each row counts, or None where all count the same.
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray | None
    timestamp: np.ndarray | None
    user_ids: list[str]
    num_items: int
    weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = len(self.user)
        for name, column in (
            ("item", self.item),
            ("rating", self.rating),
            ("timestamp", self.timestamp),
            ("weight", self.weight),
        ):
            if column is not None and len(column) != rows:
                raise ValueError(f"{name} has {len(column)} rows, user has {rows}")
        if rows and (self.item.min() < 1 or self.item.max() > self.num_items):
            raise ValueError(f"item must be in 1..{self.num_items}")

    def __len__(self) -> int:
        return len(self.user)

    @property
    def num_users(self) -> int:
        """U, the number of readers."""
        return len(self.user_ids)

    def count(self) -> Counts:
        """Rows, readers, and books that at least one row names."""
        return Counts(len(self), self.num_users, len(np.unique(self.item)))

    def keep(self, rows: np.ndarray) -> Interactions:
        """The interactions where boolean `rows` [n] is true; readers left without any go."""
        left, user = np.unique(self.user[rows], return_inverse=True)
        return Interactions(
            user=user.astype(np.int32),
            item=self.item[rows],
            rating=None if self.rating is None else self.rating[rows],
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            user_ids=[self.user_ids[u] for u in left],
            num_items=self.num_items,
            weight=None if self.weight is None else self.weight[rows],
        )


@dataclass(frozen=True)
class Counts:
    """How much of a data set there is at some point of its way."""

    interactions: int
    users: int
    items: int


@dataclass(frozen=True)
class CleaningStep:
    """What one step took away.

    Attributes:
        name: What the step does.
        before: Rows, their readers and their books before the step.
        after: The same after it.
    """

    name: str
    before: Counts
    after: Counts


@dataclass(frozen=True)
class Dataset:
    """What a reader (a function in `kd_tf.data.readers`) gives: interactions and their books.

    Attributes:
        name: Names the data in tables and file names.
        interactions: Who read what.
        catalog: The books; ``len(catalog) == interactions.books``.
        notes: What the reader found that a person should know, one sentence each.
        left_out: How many rows of the files the reader left out, by reason, for example
            ``{"bad row": 3}``; they are in none of the other counts.
        friendships: int32 [m, 2], pairs of readers (numbers as in ``interactions.user``), the
            lower first, each pair once, where the publisher gives them; else None.
        part: int8 [n], 0 where a row trains, 1 where it validates, 2 where it tests, if the
            files came divided; else None.
    """

    name: str
    interactions: Interactions
    catalog: Catalog
    notes: tuple[str, ...] = ()
    dropped_rows: Mapping[str, int] = field(default_factory=dict)
    friendships: np.ndarray | None = None
    split_labels: np.ndarray | None = None


def from_frame(name: str, frame: pl.DataFrame, item_table: pl.DataFrame | None = None) -> Dataset:
    """As `from_chunks`, for a table that is in memory as a whole."""
    return from_chunks(name, [frame], item_table)


def from_chunks(
    name: str, chunks: Iterable[pl.DataFrame], item_table: pl.DataFrame | None = None
) -> Dataset:
    """Numbers readers and books and joins both tables, a chunk at a time.

    Readers are numbered in the order of their first row. Books are numbered in the order of
    `books`; those that only `chunks` name follow after them, in the order of their first row.
    What is kept of a row are its numbers: 20 bytes, whatever its ids look like.

    Args:
        name: Names the data.
        chunks: Each with the columns ``user`` and ``item`` (strings, no nulls), optionally
            ``rating`` (float, no nulls) and ``timestamp`` (Int64 seconds, no nulls).
        books: A catalogue frame as `Catalog` describes it, or None where only ids are known.

    Raises:
        UserError: There is no row, or two books share an id.
    """
    # Checks the ids before anything is joined on them.
    listed = None if item_table is None else Catalog(item_table).frame
    users, items = Vocabulary(), Vocabulary(() if listed is None else listed["item_id"])
    columns: dict[str, list[np.ndarray]] = {}
    for chunk in chunks:
        numbers = {
            "user": users.encode(chunk["user"]),
            "item": items.encode(chunk["item"]) + 1,
        }
        for column, dtype in (("rating", np.float32), ("timestamp", np.int64)):
            if column in chunk.columns:
                numbers[column] = chunk[column].to_numpy().astype(dtype)
        for column, values in numbers.items():
            columns.setdefault(column, []).append(values)
    joined = {column: np.concatenate(columns.pop(column)) for column in list(columns)}
    if not len(joined.get("user", ())):
        raise UserError("the table has no interactions", hint="Give a table with at least one row.")
    notes = []
    if listed is None:
        catalog = Catalog(pl.DataFrame({"item_id": items.ids}, schema={"item_id": pl.String}))
    else:
        extra = items.ids[len(listed) :]
        if extra:
            notes.append(
                f"{len(extra)} books were read but are not in the book table (the first is "
                f"{extra[0]!r}): they are known by their id only"
            )
        added = pl.DataFrame({"item_id": extra}, schema={"item_id": pl.String})
        catalog = Catalog(pl.concat([listed, added], how="diagonal"))
        unread = len(catalog) - len(np.unique(joined["item"]))
        if unread:
            notes.append(
                f"{unread} books of {len(catalog)} were never read: they keep their place in "
                "the catalogue but cannot be recommended well"
            )
    return Dataset(
        name=name,
        interactions=Interactions(
            user=joined["user"],
            item=joined["item"],
            rating=joined.get("rating"),
            timestamp=joined.get("timestamp"),
            user_ids=users.ids,
            num_items=len(catalog),
        ),
        catalog=catalog,
        notes=tuple(notes),
    )


class Vocabulary:
    """Gives names numbers from 0, in the order in which they first come.

    Attributes:
        names: The name of each number.

    Args:
        names: Those that have their numbers already, each once.
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self.ids = list(ids)
        self._numbers = {name: number for number, name in enumerate(self.ids)}

    def encode(self, ids: pl.Series) -> np.ndarray:
        """int32 [n], the number of each name; new names get the next ones."""
        distinct = ids.unique(maintain_order=True).alias("name")
        for name in distinct:
            if name not in self._numbers:
                self._numbers[name] = len(self.ids)
                self.ids.append(name)
        numbers = pl.Series("number", [self._numbers[name] for name in distinct], dtype=pl.Int32)
        found = pl.DataFrame({"name": ids}).join(
            pl.DataFrame([distinct, numbers]), on="name", how="left", maintain_order="left"
        )
        return found["number"].to_numpy()

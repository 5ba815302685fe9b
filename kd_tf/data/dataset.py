"""Data sets: interactions and catalog, built from tables with external ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from kd_tf.data.catalog import Catalog
from kd_tf.data.features.content import ContentFeatures
from kd_tf.data.id_match import LOUD_SHARE, IdMatch, check_match, match_ids
from kd_tf.data.interactions import Interactions
from kd_tf.data.values.times import NO_TIME
from kd_tf.errors import UserError


@dataclass(frozen=True, repr=False)
class Dataset:
    """A data set as a data source (`kd_tf.data.sources`) loads it: interactions and catalog.

    Attributes:
        name: Name of the data set, for tables and file names.
        interactions: The interactions.
        catalog: The items; ``len(catalog) == interactions.num_items``.
        notes: Notes for the user about the data, one sentence each.
        dropped_rows: Number of rows that the data source dropped, by reason, for example
            ``{"bad row": 3}``. No other count includes them.
        id_match: How many items with interactions are in the item table; None without one.
        friendships: int32 [m, 2], pairs of user indices as in ``interactions.user``, the lower
            first, each pair once, where the data set has them; else None.
        split_labels: int8 [n], 0 for training rows, 1 for validation, 2 for test, where the
            files come with a split; else None.
        content: What the items are about (`kd_tf.data.encode_items`), or None.
        default_min_rating: The lowest rating that counts as positive, unless cleaning rules say
            otherwise; None where every row counts.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"user": ["ann", "bob", "ann"], "item": ["x", "x", "y"]})
        >>> dataset = from_frame("loans", frame)
        >>> dataset.interactions.user.tolist(), dataset.interactions.item.tolist()
        ([0, 1, 0], [1, 1, 2])
        >>> dataset.catalog.item_ids
        ['x', 'y']
    """

    name: str
    interactions: Interactions
    catalog: Catalog
    notes: tuple[str, ...] = ()
    dropped_rows: Mapping[str, int] = field(default_factory=dict)
    id_match: IdMatch | None = None
    friendships: np.ndarray | None = None
    split_labels: np.ndarray | None = None
    default_min_rating: float | None = None
    content: ContentFeatures | None = None

    def __repr__(self) -> str:
        return (
            f"<Dataset {self.name!r}: {self.interactions.num_users:,} users, "
            f"{self.interactions.num_items:,} items, {len(self.interactions.user):,} interactions>"
        )


def from_frame(name: str, frame: pl.DataFrame, item_table: pl.DataFrame | None = None) -> Dataset:
    """Builds a data set from one table in memory; see `from_chunks`."""
    return from_chunks(name, [frame], item_table)


def from_chunks(
    name: str,
    chunks: Iterable[pl.DataFrame],
    item_table: pl.DataFrame | None = None,
    *,
    min_matched_share: float = 0.0,
) -> Dataset:
    """Builds a data set from a stream of tables: encodes user and item ids as integers.

    Users are numbered in the order of their first row. Items are numbered in the order of
    `item_table`; items that only `chunks` contain follow, in the order of their first row. Only
    the numbers of a row are kept in memory: 20 bytes, however long its ids are.

    Args:
        name: Name of the data set.
        chunks: Tables with the columns ``user`` and ``item`` (strings, no nulls), optionally
            ``rating`` (float, NaN where it is unknown), ``timestamp`` (Int64 seconds, `NO_TIME`
            where it is unknown), ``microsecond`` (Int32, of times finer than seconds; only in the
            blocks that have them) and ``split`` (Int8, a value of `Dataset.split_labels`).
        item_table: A catalog frame as in `Catalog`, or None where only ids are known.
        min_matched_share: The least share of the items with interactions that must be in
            `item_table`.

    Raises:
        UserError: There is no row, two items share an id, or the two tables do not meet.
    """
    # `Catalog` checks the ids before anything is joined on them.
    listed_items = None if item_table is None else Catalog(item_table).frame
    users, items = Vocabulary(), Vocabulary(() if listed_items is None else listed_items["item_id"])
    columns: dict[str, list[np.ndarray]] = {}
    microseconds: dict[int, np.ndarray] = {}
    for chunk in chunks:
        numbers = {
            "user": users.encode(chunk["user"]),
            "item": items.encode(chunk["item"]) + 1,
        }
        for column, dtype in _DTYPES.items():
            if column in chunk.columns:
                numbers[column] = chunk[column].to_numpy().astype(dtype)
        for column, values in numbers.items():
            columns.setdefault(column, []).append(values)
        # Most times are whole seconds: only blocks with finer ones take memory.
        if "microsecond" in chunk.columns:
            microseconds[len(columns["user"]) - 1] = chunk["microsecond"].to_numpy()
    if microseconds:
        columns["microsecond"] = [
            microseconds.get(place, np.zeros(len(users_of_chunk), np.int32))
            for place, users_of_chunk in enumerate(columns["user"])
        ]
    joined_columns = {column: np.concatenate(columns.pop(column)) for column in list(columns)}
    if not len(joined_columns.get("user", ())):
        raise UserError("the table has no interactions", hint="Give a table with at least one row.")
    notes = _order_by_time(joined_columns)
    id_match = None
    if listed_items is None:
        catalog = Catalog(pl.DataFrame({"item_id": items.ids}, schema={"item_id": pl.String}))
    else:
        extra = items.ids[len(listed_items) :]
        listed_ids = items.ids[: len(listed_items)]
        used_ids = [items.ids[index] for index in np.unique(joined_columns["item"]) - 1]
        id_match = match_ids(used_ids, listed_ids)
        if extra:
            check_match(id_match, min_matched_share, (extra[0], listed_ids[0]))
            if id_match.share < LOUD_SHARE:
                reason = f": {id_match.reason}" if id_match.reason else ""
                notes.append(
                    f"{len(extra)} of {id_match.with_interactions} items with interactions are not "
                    f"in the item table (the first is {extra[0]!r}), so they have no title{reason}"
                )
            else:
                items_have = "item has" if len(extra) == 1 else "items have"
                notes.append(
                    f"{len(extra)} {items_have} interactions but no row in the item table (the "
                    f"first is {extra[0]!r}): known by id, without a title"
                )
        unlisted_items = pl.DataFrame({"item_id": extra}, schema={"item_id": pl.String})
        catalog = Catalog(pl.concat([listed_items, unlisted_items], how="diagonal"))
        num_cold = len(catalog) - len(np.unique(joined_columns["item"]))
        if num_cold:
            notes.append(
                f"{num_cold} of {len(catalog)} items have no interactions: they stay in the "
                "catalog but cannot be recommended well"
            )
    return Dataset(
        name=name,
        interactions=Interactions(
            user=joined_columns["user"],
            item=joined_columns["item"],
            rating=joined_columns.get("rating"),
            timestamp=joined_columns.get("timestamp"),
            user_ids=users.ids,
            num_items=len(catalog),
        ),
        catalog=catalog,
        notes=tuple(notes),
        split_labels=joined_columns.get("split"),
        id_match=id_match,
    )


_DTYPES = {"rating": np.float32, "timestamp": np.int64, "split": np.int8}


def _order_by_time(columns: dict[str, np.ndarray]) -> list[str]:
    """Sorts rows by times finer than seconds, and drops columns in which nothing is known.

    Times are kept in seconds; sorts by them are stable, so rows of one second keep this order.

    Returns:
        Notes on what is not known.
    """
    notes = []
    microseconds = columns.pop("microsecond", None)
    if microseconds is not None:
        order = np.lexsort((microseconds, columns["timestamp"]))
        for column, values in columns.items():
            columns[column] = values[order]
    for column, what in (
        ("rating", "kept without one"),
        ("timestamp", "taken as the oldest"),
    ):
        if column not in columns:
            continue
        values = columns[column]
        unknown = int((np.isnan(values) if column == "rating" else values == NO_TIME).sum())
        if unknown == len(values):
            del columns[column]
            notes.append(f"no row has a {column}: the column is ignored")
        elif unknown:
            rows_have = "row has" if unknown == 1 else "rows have"
            notes.append(f"{unknown} {rows_have} no {column}: {what}")
    return notes


class Vocabulary:
    """Maps ids to integers from 0, in the order of first appearance.

    Attributes:
        ids: The id of each integer.

    Args:
        ids: Ids to start with, each once.

    Example:
        >>> import polars as pl
        >>> vocabulary = Vocabulary(["x"])
        >>> vocabulary.encode(pl.Series(["y", "x", "y"])).tolist(), vocabulary.ids
        ([1, 0, 1], ['x', 'y'])
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self.ids = list(ids)
        self._indices = {name: index for index, name in enumerate(self.ids)}

    def encode(self, ids: pl.Series) -> np.ndarray:
        """Returns the integer of each id, int32 [n]; new ids get the next integers."""
        distinct = ids.unique(maintain_order=True).alias("name")
        for name in distinct:
            if name not in self._indices:
                self._indices[name] = len(self.ids)
                self.ids.append(name)
        indices = pl.Series("index", [self._indices[name] for name in distinct], dtype=pl.Int32)
        encoded_ids = pl.DataFrame({"name": ids}).join(
            pl.DataFrame([distinct, indices]), on="name", how="left", maintain_order="left"
        )
        return encoded_ids["index"].to_numpy()

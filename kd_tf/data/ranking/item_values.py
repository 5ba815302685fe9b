"""Collects what a model takes of each item: for devices, which know an item by its id alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kd_tf.data.ranking.item_columns import find_constant_columns, find_first_rows
from kd_tf.data.ranking.raw_table import RawColumn, RawTable
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import ItemValue, ItemValues

MAX_ITEMS = 200_000
"""A bundle of few bytes must not carry the values of millions of items that nobody asked for."""

HISTORY_PREFIXES = ("history_", "history ")
"""A column ``history_pages`` is the mean of ``pages`` over the user's last items."""


@dataclass(frozen=True, eq=False)
class JoinedItems:
    """A table of items that was joined to the interactions.

    Attributes:
        table: The table.
        id: Its column with the ids.
        names: Its columns by the names that they have in the joined table.
    """

    table: RawTable
    id: str
    names: Mapping[str, str]


def collect_item_values(
    table: RawTable,
    schema: FeatureSchema,
    seconds: Mapping[str, np.ndarray],
    *,
    item: str | None,
    others: Sequence[str | None],
    side: JoinedItems | None,
) -> ItemValues | None:
    """Collects the values of the columns that belong to the item, by item.

    They are the columns of a joined table of items, and those that have one value for each item.

    Args:
        table: The interactions with all joined columns.
        schema: The columns that the model takes.
        seconds: For each column of times float64 [d + 1], the Unix seconds of its distinct texts.
        item: The column with the items; None if there is none.
        others: Columns that do not belong to the item: users and label.
        side: The table of items, if one was joined: it may have more items.

    Returns:
        The values, or None without a column of items, or with more than `MAX_ITEMS` of them.
    """
    if item is None or len(table.columns[item].as_codes.texts) > MAX_ITEMS:
        return None
    types = {column.name: column.type for column in schema.columns}
    names = list_item_column_names(types, table.columns)
    joined_names = {} if side is None else side.names
    own_columns = {
        name: column
        for name, column in table.columns.items()
        if name in names and name not in {*joined_names, *others, item}
    }
    constant_names = find_constant_columns({item: table.columns[item], **own_columns}, item)
    names = [name for name in names if name in joined_names or name in constant_names[1:]]
    item_ids, rows = _find_rows(table.columns[item])
    values = {
        name: read_values(table.columns[name].take(rows), types.get(name), seconds.get(name))
        for name in names
    }
    if side is not None and len(side.table) <= MAX_ITEMS:
        side_ids, side_rows = _find_rows(side.table.columns[side.id])
        known_ids = set(item_ids)
        is_new = np.array([item_id not in known_ids for item_id in side_ids], bool)
        item_ids += [side_ids[place] for place in np.flatnonzero(is_new)]
        for name in names:
            if name not in joined_names or types.get(name) == "date":
                # The times of other rows were not read.
                values[name] += [None] * int(is_new.sum())
                continue
            column = side.table.columns[joined_names[name]].take(side_rows[is_new])
            values[name] += read_values(column, types.get(name), None)
    return ItemValues(
        item if item in types else None,
        tuple(item_ids),
        {name: tuple(column) for name, column in values.items()},
    )


def list_item_column_names(columns: Iterable[str], possible: Iterable[str]) -> list[str]:
    """Lists the columns that a model may take of an item: its own, and those of the history.

    Args:
        columns: The columns of the model.
        possible: The columns that there are.

    Example:
        >>> list_item_column_names(["hour", "genre", "history_pages"], ["genre", "pages", "hour"])
        ['genre', 'pages', 'hour']
    """
    columns = set(columns)
    return [
        name
        for name in possible
        if name in columns or any(prefix + name in columns for prefix in HISTORY_PREFIXES)
    ]


def _find_rows(column: RawColumn) -> tuple[list[str], np.ndarray]:
    """Returns the distinct ids of a column, and the first row of each."""
    column = column.as_codes
    row_of_code = find_first_rows(column)
    codes = np.flatnonzero(row_of_code[:-1] >= 0)
    return column.texts.gather(codes).to_list(), row_of_code[codes]


def read_values(
    column: RawColumn, column_type: str | None, seconds: np.ndarray | None = None
) -> list[ItemValue]:
    """Returns values as a row of an app gives them: numbers, Unix seconds, or canonical texts.

    Args:
        column: The column.
        column_type: Its type in features.json; None if only a mean of it is taken.
        seconds: float64 [d + 1], the Unix seconds of the distinct texts of a column of times.
    """
    if seconds is not None and column_type == "date":
        numbers = seconds[column.as_codes.codes]
    elif column_type in ("number", None):
        numbers = column.read_numbers()
    else:
        column = column.as_codes
        assert column.codes is not None
        texts = [*column.texts.to_list(), None]
        return [texts[code] for code in column.codes.tolist()]
    return [None if np.isnan(number) else _shorten(number) for number in numbers.tolist()]


def _shorten(number: float) -> int | float:
    """Returns a whole number without its point."""
    return int(number) if abs(number) < 2**53 and number.is_integer() else number

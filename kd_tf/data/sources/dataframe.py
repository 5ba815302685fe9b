"""Takes interactions that are already in memory as a pandas DataFrame, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Unpack

import numpy as np
import pandas as pd
import polars as pl

from kd_tf.data.catalog import COLUMNS
from kd_tf.data.dataset import Dataset
from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.delimited import make_spelling_hint
from kd_tf.data.sources.interaction_rows import InteractionColumns
from kd_tf.data.sources.item_rows import ItemColumns
from kd_tf.data.sources.own_tables import read_tables
from kd_tf.data.sources.table_options import ValueOptions, make_rules
from kd_tf.errors import UserError


def read_dataframe(
    interactions: pd.DataFrame,
    items: pd.DataFrame | None = None,
    *,
    name: str = "dataframe",
    **options: Unpack[ValueOptions],
) -> Dataset:
    """Converts a DataFrame of interactions and, optionally, one of items to a data set.

    The rules are those of files: what stands for a missing value, which times have one meaning, how
    ids may be normalized.

    Args:
        interactions: Columns ``user`` and ``item`` (any type but fractions, converted to text),
            optionally ``rating`` (numbers) and ``timestamp`` (datetimes, numbers or texts). A row
            without a rating or a time is kept without one. If there is no `items`, columns of
            `kd_tf.data.catalog.COLUMNS` here are those of the items.
        items: Column ``item_id``, optionally any other column of `kd_tf.data.catalog.COLUMNS`.
        name: The name of the data set.
        **options: How values are written and which rows are taken, see `ValueOptions`.

    Raises:
        UserError: A column is missing or unknown, or a value is bad; the message names its row.

    Example:
        >>> interactions = pd.DataFrame({"user": ["ann", "bob", "bob"], "item": [7, 7, 9]})
        >>> dataset = read_dataframe(interactions)
        >>> dataset.interactions.num_items, dataset.catalog.item_ids
        (2, ['7', '9'])
    """
    rules = make_rules(**options)
    texts = set(COLUMNS) - {"item_id"}
    conditions = {condition.column for condition in rules.where}
    possible_columns = {"rating", "timestamp"} | conditions | (texts if items is None else set())
    _check_columns(interactions, {"user", "item"}, possible_columns, "interactions")
    column_names = set(map(str, interactions.columns))
    item_columns = None
    if items is not None:
        _check_columns(items, {"item_id"}, texts, "items")
        item_columns = ItemColumns(**{column: column for column in map(str, items.columns)})
    elif column_names & texts:
        item_columns = ItemColumns("item", **{column: column for column in column_names & texts})
    return read_tables(
        FrameTable(interactions, "interactions"),
        InteractionColumns(
            "user",
            "item",
            *(name if name in column_names else None for name in ("rating", "timestamp")),
        ),
        items=None if items is None else FrameTable(items, "items"),
        item_columns=item_columns,
        rules=rules,
        name=name,
    )


@dataclass(frozen=True, eq=False)
class FrameTable:
    """A DataFrame as a table whose values are read as text.

    Args:
        frame: The DataFrame.
        name: Its name, for messages.

    Example:
        >>> table = FrameTable(pd.DataFrame({"user": ["ann"], "item": [7]}), "interactions")
        >>> table.locate(1, "user")
        'interactions, row 0, column "user"'
    """

    frame: pd.DataFrame
    name: str

    def locate(self, line: int, column: str | None = None) -> str:
        """Formats the place of a row, counted from 0 as pandas does."""
        return f"{self.name}, {self.format_line(line)}" + (f', column "{column}"' if column else "")

    def format_line(self, line: int) -> str:
        """Formats a row, counted from 0."""
        return f"row {line - 1}"

    def list_columns(self) -> list[str]:
        """Lists the names of the columns."""
        return list(map(str, self.frame.columns))

    def holds_fractions(self, column: str) -> bool:
        """Says whether a column has a type of fractions, or fractions among its objects."""
        if not len(self.frame) or column not in self.frame:
            return False
        values = self.frame[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = pd.Series(values.cat.categories)
        if pd.api.types.is_object_dtype(values):
            # Texts and numbers side by side: 11 beside "x1" may be 11.0.
            return any(isinstance(value, float) for value in values[values.notna()])
        return pd.api.types.is_float_dtype(values)

    def read(self, columns: Mapping[str, str], bad_rows: BadRows) -> Iterator[pl.DataFrame]:
        """Reads some columns as one block."""
        for column in columns.values():
            if column not in self.frame:
                raise UserError(
                    f"there is no column {column!r}; the columns are "
                    f"{', '.join(map(repr, self.list_columns()))}",
                    where=self.name,
                    hint=make_spelling_hint(column, self.list_columns()),
                )
        texts = {role: _to_text(self.frame[column]) for role, column in columns.items()}
        lines = pl.int_range(1, len(self.frame) + 1, eager=True).alias("line")
        yield pl.DataFrame({"line": lines, **texts})


def _to_text(values: pd.Series) -> pl.Series:
    """Converts a column to texts: times as ISO 8601, missing values as the empty text."""
    if pd.api.types.is_datetime64_any_dtype(values):
        if values.dt.tz is not None:
            values = values.dt.tz_convert("UTC")
        texts = values.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
    else:
        texts = values.astype("object")
    is_missing = texts.isna().to_numpy()
    return pl.Series(
        [
            "" if missing else _format_value(value)
            for value, missing in zip(texts.tolist(), is_missing, strict=True)
        ],
        dtype=pl.String,
    )


def _format_value(value: object) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _check_columns(
    frame: pd.DataFrame, needed_columns: set[str], optional: set[str], name: str
) -> None:
    """Checks that a frame has the columns that are needed, each once, and no unknown ones.

    Raises:
        UserError: It has not, or it is no DataFrame.
    """
    if not isinstance(frame, pd.DataFrame):
        kind = type(frame)
        raise UserError(
            f"{name} must be a pandas DataFrame, not {kind.__module__}.{kind.__qualname__}",
            hint="Make one of it: pd.DataFrame(...), or .to_pandas().",
        )
    names = list(map(str, frame.columns))
    repeats = sorted({column for column in names if names.count(column) > 1})
    if repeats:
        raise UserError(
            f"{name} has several columns {', '.join(map(repr, repeats))}",
            hint="Keep one: frame.loc[:, ~frame.columns.duplicated()].",
        )
    missing = sorted(needed_columns - set(frame.columns))
    unknown = sorted(set(names) - needed_columns - optional)
    if missing or unknown:
        raise UserError(
            f"{name} needs the columns {sorted(needed_columns)} and may have {sorted(optional)}; "
            f"missing: {missing}, unknown: {unknown}",
            hint="Rename or drop columns first: frame.rename(columns={...}), frame[[...]].",
        )

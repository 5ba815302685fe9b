"""The raw columns of a table or row, of which features are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.features.values import (
    UnreadableValueError,
    to_category,
    to_list,
    to_number,
    to_seconds,
)

ColumnType = Literal["category", "list", "number", "date"]

Categories = Sequence[str | None]
"""Canonical texts, None where a value is missing."""

Lists = Sequence[tuple[str, ...]]
"""The canonical texts of each list; empty where it is missing."""

ColumnValues = Categories | Lists | np.ndarray
"""The values of a column as features take them: `Categories`, `Lists`, or float64 [n], numbers or
Unix seconds, with NaN where a value is missing."""


@dataclass(frozen=True)
class Column:
    """A raw column that a row must have.

    Attributes:
        name: Its name.
        type: How its values are read.
        separator: What stands between the values of a list in a text; for type ``list`` only.
        missing: Texts that stand for a missing value in this column, beyond those of the schema.

    Example:
        >>> Column("price", "number").read([3, " 2.5", None], frozenset()).tolist()
        [3.0, 2.5, nan]
        >>> Column("genres", "list").read(["a|b", ""], frozenset())
        [('a', 'b'), ()]
    """

    name: str
    type: ColumnType
    separator: str = "|"
    missing: tuple[str, ...] = ()

    def read(self, values: Sequence[Any], missing: frozenset[str]) -> ColumnValues:
        """Reads raw values.

        Args:
            values: Raw values of n rows.
            missing: Texts that stand for a missing value.

        Raises:
            UserError: A value is none of this column; the message names column, row and value.
        """
        missing = missing.union(self.missing)
        if self.type == "category":
            return self._map(values, lambda value: to_category(value, missing))
        if self.type == "list":
            return self._map(values, lambda value: to_list(value, missing, self.separator))
        read = to_number if self.type == "number" else to_seconds
        return np.array(self._map(values, lambda value: read(value, missing)), np.float64)

    def _map(self, values: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
        """Reads every value; equal texts once."""
        results: dict[str, Any] = {}
        column: list[Any] = []
        try:
            for value in values:
                if type(value) is str:
                    if value not in results:
                        results[value] = read(value)
                    column.append(results[value])
                else:
                    column.append(read(value))
        except UnreadableValueError as error:
            raise UserError(
                f"column {self.name!r} {error}",
                where=f"row {len(column)}" if len(values) > 1 else None,
                hint="docs/reference/features.md says how values are written.",
            ) from error
        return column

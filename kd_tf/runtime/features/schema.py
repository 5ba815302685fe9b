"""Encodes rows of raw values for a model: what training fitted, and what an app repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.features.buckets import BucketFeature
from kd_tf.runtime.features.categorical import HashFeature, VocabularyFeature
from kd_tf.runtime.features.columns import Column, ColumnValues
from kd_tf.runtime.features.crossed import CrossFeature
from kd_tf.runtime.features.date_parts import DatePartFeature
from kd_tf.runtime.features.label import Label
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout
from kd_tf.runtime.features.numeric import MissingFeature, ScaledFeature

IdFeature = VocabularyFeature | HashFeature | BucketFeature | DatePartFeature | CrossFeature
"""A feature with ids."""

NumberFeature = ScaledFeature | MissingFeature
"""A feature that is a number."""

_MAX_NAMES = 10


@dataclass(frozen=True)
class FeatureSchema:
    """The raw columns that a row must have, and the features made of them.

    Attributes:
        label: What the model predicts.
        columns: The raw columns.
        categorical: The features with ids, in the order of `layout`.
        numeric: The features that are numbers, in the order of `layout`.
        missing: Texts that stand for a missing value in every column, beyond the empty one.

    Example:
        >>> schema = FeatureSchema(
        ...     Label("clicked", "click"),
        ...     (Column("language", "category"), Column("price", "number")),
        ...     (VocabularyFeature("language", "language", ("en", "de")),),
        ...     (ScaledFeature("price", "price", 0.0, 10.0, offset=4.0, divisor=2.0),),
        ... )
        >>> ids, numbers = schema.encode({"language": ["de", "xx"], "price": [6, None]})
        >>> ids.tolist(), numbers.tolist()
        ([[3], [1]], [[1.0], [0.0]])
        >>> schema.encode_row({"language": "de", "price": "6.0", "shop": "not needed"})
        (array([[3]], dtype=int32), array([[1.]], dtype=float32))
    """

    label: Label
    columns: tuple[Column, ...]
    categorical: tuple[IdFeature, ...]
    numeric: tuple[NumberFeature, ...]
    missing: tuple[str, ...] = ()

    @cached_property
    def layout(self) -> FeatureLayout:
        """The form of encoded rows."""
        return FeatureLayout(
            tuple(
                CategoricalFeature(feature.name, feature.num_ids, feature.num_values)
                for feature in self.categorical
            ),
            tuple(feature.name for feature in self.numeric),
        )

    def select_features(self, layout: FeatureLayout) -> FeatureSchema:
        """Returns the schema of some of the features, which needs only their columns.

        Args:
            layout: The features, in any order.

        Raises:
            ValueError: One is not among these.
        """
        self.layout.find_places(layout)
        ids = {feature.name: feature for feature in self.categorical}
        numbers = {feature.name: feature for feature in self.numeric}
        categorical = tuple(ids[feature.name] for feature in layout.categorical)
        numeric = tuple(numbers[name] for name in layout.numeric)
        names = {name for feature in categorical for name in feature.columns}
        names.update(feature.column for feature in numeric)
        columns = tuple(column for column in self.columns if column.name in names)
        return replace(self, columns=columns, categorical=categorical, numeric=numeric)

    @cached_property
    def missing_texts(self) -> frozenset[str]:
        """The texts of `missing`, to look one up."""
        return frozenset(self.missing)

    def encode(self, rows: Mapping[str, Sequence[Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Encodes rows whose values stand column by column.

        Args:
            rows: Name of a column -> its raw values in n rows. Columns that the schema does not
                know are ignored.

        Returns:
            Ids, int32 [n, F], and numbers, float32 [n, G].

        Raises:
            UserError: A column is missing, two have different numbers of values, or a value cannot
                be one of its column.
        """
        self._check_columns(rows)
        values = {column.name: _list_values(column.name, rows) for column in self.columns}
        lengths = {name: len(column) for name, column in values.items()}
        if len(set(lengths.values())) > 1:
            short, long = (
                f"{name!r} {lengths[name]}"
                for name in (min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.get))  # type: ignore[arg-type]
            )
            raise UserError(
                f"the columns have different numbers of values: {short}, {long}",
                hint="Give one value per row in every column.",
            )
        return self.encode_values(
            {
                column.name: column.read(values[column.name], self.missing_texts)
                for column in self.columns
            }
        )

    def encode_row(self, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Encodes one row.

        Args:
            values: Name of a column -> its raw value. Columns that the schema does not know are
                ignored.

        Returns:
            Ids, int32 [1, F], and numbers, float32 [1, G]: what `encode` returns for this row.

        Raises:
            UserError: A column is missing, or a value cannot be one of its column.
        """
        self._check_columns(values)
        return self.encode_values(
            {
                column.name: column.read([values[column.name]], self.missing_texts)
                for column in self.columns
            }
        )

    def encode_values(self, values: Mapping[str, ColumnValues]) -> tuple[np.ndarray, np.ndarray]:
        """Encodes values that `Column.read` has read."""
        num_rows = len(next(iter(values.values()), ()))
        ids = [
            feature.encode(*(values[column] for column in feature.columns))
            for feature in self.categorical
        ]
        numbers = [feature.encode(values[feature.column]) for feature in self.numeric]
        return (
            np.concatenate(ids, axis=1) if ids else np.empty((num_rows, 0), np.int32),
            np.stack(numbers, axis=1) if numbers else np.empty((num_rows, 0), np.float32),
        )

    def _check_columns(self, rows: Mapping[str, Any]) -> None:
        """Checks that all columns are there.

        Raises:
            UserError: One is missing.
        """
        if not isinstance(rows, Mapping) and not hasattr(rows, "columns"):
            raise UserError(
                f"a row must be an object of column: value, not {type(rows).__name__}",
                hint=f"It needs the columns {_join(self._column_names)}.",
            )
        absent = [name for name in self._column_names if name not in rows]
        if not absent:
            return
        names = [str(name) for name in rows]
        what = f"column {_join(absent)} is" if len(absent) == 1 else f"columns {_join(absent)} are"
        if len(absent) == len(self.columns):
            what = "none of the columns that the model needs is here: " + _join(absent) + " are"
        raise UserError(
            f"{what} missing; the columns are {_join(names) or 'none'}",
            hint="Give all columns that the model was trained with; a value that is unknown is "
            "null.",
        )

    @cached_property
    def _column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _list_values(name: str, rows: Mapping[str, Any]) -> list[Any]:
    """Returns the values of a column as a list; arrays and series know how."""
    values = rows[name]
    for method in ("tolist", "to_list"):
        if hasattr(values, method):
            values = getattr(values, method)()
    if not isinstance(values, (list, tuple, range)):
        raise UserError(
            f"column {name!r} must be a list of values, not {type(values).__name__}",
            hint="For one row of plain values: encode_row.",
        )
    return list(values)


def _join(names: Sequence[str]) -> str:
    shown_names = ", ".join(map(repr, names[:_MAX_NAMES]))
    more = len(names) - _MAX_NAMES
    return shown_names + (f" and {more} more" if more > 0 else "")

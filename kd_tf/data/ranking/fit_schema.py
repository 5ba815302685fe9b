"""Fits a `FeatureSchema` to training rows: vocabularies, buckets and scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from kd_tf.data.ranking.column_types import ColumnSummary
from kd_tf.data.ranking.raw_table import RawColumn
from kd_tf.data.ranking.training_values import TrainingValues, collect_training_values
from kd_tf.errors import UserError
from kd_tf.runtime.features.buckets import BucketFeature
from kd_tf.runtime.features.categorical import HashFeature, VocabularyFeature
from kd_tf.runtime.features.columns import Column, ColumnType
from kd_tf.runtime.features.crossed import CrossFeature
from kd_tf.runtime.features.date_parts import NUM_PARTS, DatePartFeature, compute_part
from kd_tf.runtime.features.features_json import (
    MAX_BOUNDARIES,
    MAX_BUCKETS,
    MAX_LIST_VALUES,
    MAX_NAME_LENGTH,
    MAX_VOCABULARY,
)
from kd_tf.runtime.features.label import Label
from kd_tf.runtime.features.numeric import MissingFeature, ScaledFeature, take_log
from kd_tf.runtime.features.schema import FeatureSchema, IdFeature, NumberFeature
from kd_tf.runtime.features.values import to_list

Scaling = Literal["standard", "min-max", "none"]

_HEAVY_TAIL = 2.0

_COLUMN_TYPES: dict[str, ColumnType] = {
    "categorical": "category",
    "numeric": "number",
    "multi": "list",
    "date": "date",
}


@dataclass(frozen=True)
class FeatureOptions:
    """Which columns features are made of, and how.

    Attributes:
        categorical: Columns that are categories, whatever they look like.
        numeric: Columns that are numbers.
        multi: Columns that are lists, such as ``a|b|c``.
        date: Columns that are times.
        text: Columns that are sentences; no feature is made of them.
        ignore: Columns that are left out.
        features: The only columns that features are made of; None for all.
        crosses: Combinations of categorical columns, hashed.
        scaling: ``standard`` (mean 0, standard deviation 1), ``min-max`` (0 to 1), or ``none``.
        num_buckets: Number of ranges of a number, with equally many rows each; 0 for none.
        min_count: A value that fewer training rows have is unknown.
        max_vocabulary: A column with more values than this is hashed.
        hash_buckets: Number of buckets of a hashed column, and of a combination.
        max_list_values: Values of a list after these are cut off.
        kinds: Column -> the kind that it is named as; computed.

    Example:
        >>> FeatureOptions(numeric=("age",), crosses=(("device", "hour"),)).scaling
        'standard'
    """

    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    multi: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    crosses: tuple[tuple[str, ...], ...] = ()
    scaling: Scaling = "standard"
    num_buckets: int = 20
    min_count: int = 2
    max_vocabulary: int = 50_000
    hash_buckets: int = 1 << 16
    max_list_values: int = 10
    kinds: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.scaling not in get_args(Scaling):
            raise UserError(
                f"scaling is {self.scaling!r}", hint=f"Choose from {', '.join(get_args(Scaling))}."
            )
        limits = {
            "num_buckets": (0, MAX_BOUNDARIES // 2), "min_count": (1, 2**31),
            "max_vocabulary": (1, MAX_VOCABULARY), "hash_buckets": (1, MAX_BUCKETS),
            "max_list_values": (1, MAX_LIST_VALUES),
        }  # fmt: skip
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise UserError(f"{name} must be from {least} to {most:,}, not {value}")
        kinds: dict[str, str] = {}
        for kind in ("categorical", "numeric", "multi", "date", "text", "ignore"):
            for column in getattr(self, kind):
                if kinds.setdefault(column, kind) != kind:
                    raise UserError(
                        f"column {column!r} is named as {kinds[column]} and as {kind}",
                        hint="Name it once.",
                    )
        object.__setattr__(self, "kinds", kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are named."""
        crossed_names = (name for cross in self.crosses for name in cross)
        return tuple(dict.fromkeys((*self.kinds, *(self.features or ()), *crossed_names)))


def fit_schema(
    columns: Mapping[str, RawColumn],
    summaries: Sequence[ColumnSummary],
    rows: np.ndarray,
    seconds: Mapping[str, np.ndarray],
    *,
    label: Label,
    missing: tuple[str, ...],
    options: FeatureOptions,
) -> tuple[FeatureSchema, tuple[str, ...]]:
    """Fits the features of columns to training rows.

    Args:
        columns: The columns of the table.
        summaries: What each column is; features are made of `ENCODED_KINDS`.
        rows: int64 [n], the training rows.
        seconds: For each column of times float64 [d + 1]: the Unix seconds of its distinct texts,
            and NaN for a missing one.
        label: What is predicted.
        missing: Texts that stand for a missing value.
        options: How features are made.

    Returns:
        The schema, and notes on columns that gave no feature.

    Raises:
        UserError: Nothing is left to learn from, or a cross names a column that is no category.
    """
    fit = _Fit(options)
    for summary in summaries:
        if summary.kind not in _COLUMN_TYPES:
            continue
        column = columns[summary.name]
        if summary.kind == "date":
            fit.add_date(summary, column, rows, seconds[summary.name])
            continue
        values = collect_training_values(column, rows)
        if summary.kind == "numeric":
            fit.add_number(summary, values)
        elif summary.kind == "multi":
            fit.add_list(summary, values, frozenset(missing))
        else:
            fit.add_category(summary, values)
    by_name = {column.name: column for column in fit.columns}
    for cross in options.crosses:
        wrong = [name for name in cross if name not in by_name or by_name[name].type != "category"]
        if wrong or len(set(cross)) < 2:
            raise UserError(
                f"the cross {' x '.join(cross)} needs two categorical columns or more"
                + (f"; {wrong[0]!r} is none" if wrong else ""),
                hint="Name the column as categorical, or leave the cross out.",
            )
        name = fit.make_name("*".join(cross))
        fit.categorical.append(CrossFeature(name, tuple(cross), options.hash_buckets))
    if not (fit.categorical or fit.numeric):
        left_out = ", ".join(f"{summary.name} ({summary.kind})" for summary in summaries)
        raise UserError(
            f"no column is left to learn from: {left_out}",
            hint="Name the columns that are features: categorical, numeric, multi or date.",
        )
    schema = FeatureSchema(
        label, tuple(fit.columns), tuple(fit.categorical), tuple(fit.numeric), missing
    )
    return schema, tuple(fit.notes)


class _Fit:
    """Collects the features of columns."""

    def __init__(self, options: FeatureOptions) -> None:
        self.options = options
        self.columns: list[Column] = []
        self.categorical: list[IdFeature] = []
        self.numeric: list[NumberFeature] = []
        self.notes: list[str] = []

    def make_name(self, name: str, features: Collection[IdFeature | NumberFeature] = ()) -> str:
        """Returns a name that no other feature has."""
        names = {feature.name for feature in (*self.categorical, *self.numeric, *features)}
        while name in names:
            name += "_"
        return name

    def add_category(self, summary: ColumnSummary, values: TrainingValues) -> None:
        """Adds the feature of a column of categories."""
        counts = values.counts
        is_frequent = counts >= self.options.min_count
        if is_frequent.sum() <= self.options.max_vocabulary:
            counter = dict(
                zip(
                    values.select(is_frequent).texts.to_list(), counts[is_frequent].tolist(),
                    strict=True,
                )
            )  # fmt: skip
            self._add_vocabulary(summary, counter, None)
        else:
            self._add_hash(summary, None)

    def add_list(
        self, summary: ColumnSummary, values: TrainingValues, missing: frozenset[str]
    ) -> None:
        """Adds the feature of a column of lists."""
        counter: Counter[str] = Counter()
        longest = 1
        for text, count in zip(values.texts, values.counts.tolist(), strict=True):
            parts = to_list(text, missing, summary.separator)
            longest = max(longest, len(parts))
            for part in parts:
                counter[part] += count
        max_values = min(longest, self.options.max_list_values)
        counts = {part: count for part, count in counter.items() if count >= self.options.min_count}
        if len(counts) <= self.options.max_vocabulary:
            self._add_vocabulary(summary, counts, max_values)
        else:
            self._add_hash(summary, max_values)

    def add_date(
        self, summary: ColumnSummary, column: RawColumn, rows: np.ndarray, seconds: np.ndarray
    ) -> None:
        """Adds the parts of a time that differ between training rows."""
        codes = column.as_codes.codes
        assert codes is not None
        is_present = np.zeros(len(seconds), bool)
        is_present[codes[rows]] = True
        distinct_seconds = seconds[is_present]
        distinct_seconds = distinct_seconds[~np.isnan(distinct_seconds)].astype(np.int64)
        parts = [
            part for part in NUM_PARTS if len(np.unique(compute_part(distinct_seconds, part))) > 1
        ]
        if not parts:
            self.notes.append(f"column {summary.name} gives no feature: all times are alike")
            return
        self._add_column(summary)
        self.categorical += [
            DatePartFeature(self.make_name(f"{summary.name}:{part}"), summary.name, part)
            for part in parts
        ]

    def add_number(self, summary: ColumnSummary, values: TrainingValues) -> None:
        """Adds the scaled number, whether it is missing, and its range."""
        values = values.select(np.isfinite(values.numbers))
        if not len(values):
            self.notes.append(f"column {summary.name} gives no feature: it has no numbers")
            return
        self._add_column(summary)
        numbers, counts = values.sort_by_number()
        name = self.make_name(summary.name)
        self.numeric.append(self._scale(name, summary.name, numbers, counts))
        if values.num_missing:
            name = self.make_name(f"{summary.name}:missing")
            self.numeric.append(MissingFeature(name, summary.name))
        boundaries = choose_boundaries(numbers, counts, self.options.num_buckets)
        if len(boundaries) > 1:
            name = self.make_name(f"{summary.name}:bucket")
            self.categorical.append(BucketFeature(name, summary.name, boundaries))

    def _scale(
        self, name: str, column: str, numbers: np.ndarray, counts: np.ndarray
    ) -> ScaledFeature:
        """Fits the scale of a number."""
        low, high = float(numbers[0]), float(numbers[-1])
        log = self.options.scaling != "none" and has_heavy_tail(numbers, counts)
        transformed_numbers = take_log(numbers) if log else numbers
        mean, deviation = measure_spread(transformed_numbers, counts)
        offset, divisor = 0.0, 1.0
        if self.options.scaling == "standard":
            offset, divisor = mean, deviation
        elif self.options.scaling == "min-max":
            offset = float(transformed_numbers[0])
            divisor = float(transformed_numbers[-1]) - offset
        if not (np.isfinite(divisor) and divisor > 0):
            divisor = 1.0
        fill = (mean - offset) / divisor
        limit = float(np.finfo(np.float32).max) / 2
        if max(abs(low - offset), abs(high - offset)) / divisor > limit:
            raise UserError(
                f"column {column!r} has numbers up to {max(abs(low), abs(high)):g}, too large to "
                "be used as they are",
                hint="Choose another scaling, or name the column as categorical or ignore it.",
            )
        return ScaledFeature(name, column, low, high, offset, divisor, fill, log)

    def _add_column(self, summary: ColumnSummary) -> None:
        column_type = _COLUMN_TYPES[summary.kind]
        separator = summary.separator or "|"
        self.columns.append(Column(summary.name, column_type, separator, summary.missing))

    def _add_vocabulary(
        self, summary: ColumnSummary, counts: Mapping[str, int], max_values: int | None
    ) -> None:
        """Adds a vocabulary, the most frequent value first."""
        values = sorted(counts, key=lambda text: (-counts[text], text))
        values = [text for text in values if len(text) <= MAX_NAME_LENGTH]
        if not values:
            self.notes.append(
                f"column {summary.name} gives no feature: no value is in {self.options.min_count} "
                "training rows (min_count)"
            )
            return
        self._add_column(summary)
        name = self.make_name(summary.name)
        self.categorical.append(VocabularyFeature(name, summary.name, tuple(values), max_values))

    def _add_hash(self, summary: ColumnSummary, max_values: int | None) -> None:
        self._add_column(summary)
        name, buckets = self.make_name(summary.name), self.options.hash_buckets
        self.categorical.append(HashFeature(name, summary.name, buckets, max_values))
        self.notes.append(
            f"column {summary.name} is hashed to {buckets:,} ids: it has more than "
            f"{self.options.max_vocabulary:,} values (max_vocabulary, hash_buckets)"
        )


def choose_boundaries(
    numbers: np.ndarray, counts: np.ndarray, num_buckets: int
) -> tuple[float, ...]:
    """Chooses where ranges begin, so that they have about equally many rows.

    A number that has as many rows as a range should have, such as the 0 of most counts, is a range
    of its own, and the others are shared between the rest.

    Args:
        numbers: float64 [d], ascending.
        counts: int64 [d], the number of rows with each.
        num_buckets: Number of ranges; where there are no more numbers, each is a range.

    Example:
        >>> choose_boundaries(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 1, 1, 1]), 2)
        (3.0,)
        >>> choose_boundaries(np.array([1.0, 2.0, 3.0]), np.array([9, 1, 1]), 5)
        (2.0, 3.0)
    """
    if num_buckets < 2:
        return ()
    if len(numbers) <= num_buckets:
        return tuple(numbers[1:].tolist())
    is_frequent = counts * num_buckets >= counts.sum()
    other_counts = np.where(is_frequent, 0, counts)
    num_others = max(num_buckets - int(is_frequent.sum()), 1)
    rows_below = np.cumsum(other_counts) - other_counts
    targets = other_counts.sum() * np.arange(1, num_others) / num_others
    frequent_places = np.flatnonzero(is_frequent)
    places = np.unique(
        np.concatenate([np.searchsorted(rows_below, targets), frequent_places, frequent_places + 1])
    )
    places = places[(places > 0) & (places < len(numbers))]
    return tuple(numbers[places].tolist())


def measure_spread(numbers: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Returns the mean and the standard deviation of numbers that occur several times.

    Example:
        >>> measure_spread(np.array([1.0, 3.0]), np.array([1, 3]))
        (2.5, 0.8660254037844386)
    """
    # Squares of large numbers overflow.
    unit = float(np.abs(numbers).max()) or 1.0
    small_numbers = numbers / unit
    mean = float(np.average(small_numbers, weights=counts))
    variance = float(np.average((small_numbers - mean) ** 2, weights=counts))
    return mean * unit, variance**0.5 * unit


def has_heavy_tail(numbers: np.ndarray, counts: np.ndarray) -> bool:
    """Says whether a logarithm makes numbers much less skew: |skewness| above 2, and halved.

    Example:
        >>> has_heavy_tail(np.expm1(np.arange(15.0)), np.ones(15))
        True
        >>> has_heavy_tail(np.arange(15.0), np.ones(15))
        False
    """
    skewness = abs(_measure_skewness(numbers, counts))
    return skewness > _HEAVY_TAIL and abs(_measure_skewness(take_log(numbers), counts)) < (
        skewness / 2
    )


def _measure_skewness(numbers: np.ndarray, counts: np.ndarray) -> float:
    unit = float(np.abs(numbers).max()) or 1.0
    mean, deviation = measure_spread(numbers / unit, counts)
    if not deviation > 0:
        return 0.0
    return float(np.average(((numbers / unit - mean) / deviation) ** 3, weights=counts))

"""Finds columns that give the label away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kd_tf.data.ranking.raw_table import RawColumn
from kd_tf.errors import UserError

_LEAST_ROWS = 8
_MANY_REPEATS = 20


def check_label_leaks(
    columns: Mapping[str, RawColumn], labels: np.ndarray, label: str
) -> tuple[str, ...]:
    """Checks that no column equals the label, or is a one-to-one function of it.

    A missing value counts as a value: a column that is filled exactly where there is a click, such
    as the time of the click, is refused as well.

    Args:
        columns: The columns that features are made of.
        labels: float32 [n], the labels.
        label: Name of the label's column.

    Returns:
        Notes on columns whose values decide the label although they are no function of it.

    Raises:
        UserError: A column gives the label away.
    """
    if len(labels) < _LEAST_ROWS:
        return ()
    label_values, label_codes = np.unique(labels, return_inverse=True)
    notes = []
    for name, column in columns.items():
        is_missing = column.is_missing
        if is_missing.any() and len(label_values) == 2:
            for value in (0, 1):
                if np.array_equal(is_missing, label_codes == value):
                    what = "no click" if value == 0 else "a click"
                    raise _make_leak_error(name, f"is empty exactly where there is {what}", label)
        codes, num_values = _number_values(column, is_missing)
        if num_values < len(label_values):
            continue
        pairs = np.unique(codes.astype(np.int64) * len(label_values) + label_codes)
        if len(pairs) != num_values:
            continue
        if num_values == len(label_values):
            raise _make_leak_error(name, "tells the label, value by value", label)
        if len(labels) >= _MANY_REPEATS * num_values:
            notes.append(
                f"every value of {name} goes with a single value of the label {label}: if it is "
                "known only afterwards, leave it out (ignore)"
            )
    return tuple(notes)


def _number_values(column: RawColumn, is_missing: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers the values that occur, a missing one included, from 0."""
    if column.codes is None:
        assert column.numbers is not None
        distinct_numbers, codes = np.unique(column.numbers, return_inverse=True)
        return codes, len(distinct_numbers)
    counts = np.bincount(column.codes + np.int64(1), minlength=len(column.texts) + 1)
    numbers = np.cumsum(counts > 0) - 1
    return numbers[column.codes + np.int64(1)], int((counts > 0).sum())


def _make_leak_error(name: str, what: str, label: str) -> UserError:
    return UserError(
        f"column {name!r} {what}: a model would learn nothing else",
        where=f'label "{label}"',
        hint=f"Leave it out: ignore {name}.",
    )

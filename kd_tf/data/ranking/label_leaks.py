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
        if column.codes is None and len(label_values) < len(labels) / _MANY_REPEATS:
            continue  # a great many numbers cannot tell a label of few values one by one
        codes = column.as_codes.codes
        assert codes is not None
        places = codes + np.int64(1)
        counts = np.bincount(places)
        num_values = int((counts > 0).sum())
        if num_values < len(label_values) or not _has_pure_values(places, label_codes, counts):
            continue
        if num_values == len(label_values):
            raise _make_leak_error(name, "tells the label, value by value", label)
        if len(labels) >= _MANY_REPEATS * num_values:
            notes.append(
                f"every value of {name} goes with a single value of the label {label}: if it is "
                "known only afterwards, leave it out (ignore)"
            )
    return tuple(notes)


def _has_pure_values(places: np.ndarray, label_codes: np.ndarray, counts: np.ndarray) -> bool:
    """Says whether all rows with the same value have the same label: its variance is 0."""
    codes = label_codes.astype(np.float64)
    sums = np.bincount(places, weights=codes)
    squares = np.bincount(places, weights=codes**2)
    return bool((squares * counts == sums**2).all())


def _make_leak_error(name: str, what: str, label: str) -> UserError:
    return UserError(
        f"column {name!r} {what}: a model would learn nothing else",
        where=f'label "{label}"',
        hint=f"Leave it out: ignore {name}.",
    )

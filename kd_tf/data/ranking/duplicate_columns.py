"""Finds columns that say the same as another column, such as a title beside an id."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from kd_tf.data.ranking.column_types import FEW_VALUES, ColumnSummary
from kd_tf.data.ranking.raw_table import RawColumn


def mark_duplicates(
    summaries: Sequence[ColumnSummary],
    columns: Mapping[str, RawColumn],
    rows: np.ndarray,
    needed_columns: Collection[str],
) -> list[ColumnSummary]:
    """Marks categorical columns that are a one-to-one function of another one.

    Both would have the same embedding of the same rows. Columns of at most `FEW_VALUES` values are
    not looked at: their vocabularies cost nothing. The first column stays.

    Args:
        summaries: What each column is.
        columns: The columns.
        rows: int64 [n], the training rows.
        needed_columns: Columns that stay: those that the caller named, users and items.
    """
    candidates = [
        summary
        for summary in summaries
        if summary.kind == "categorical" and summary.num_values > FEW_VALUES
    ]
    candidates.sort(key=lambda summary: summary.name not in needed_columns)
    originals: list[ColumnSummary] = []
    reasons: dict[str, str] = {}
    for candidate in candidates:
        original = next(
            (
                summary.name
                for summary in originals
                if (summary.num_values, summary.missing_share)
                == (candidate.num_values, candidate.missing_share)
                and candidate.name not in needed_columns
                and _is_function(columns[candidate.name], columns[summary.name], rows)
            ),
            None,
        )
        if original is None:
            originals.append(candidate)
        else:
            reasons[candidate.name] = f"one value for each value of {original}"
    return [
        dataclasses.replace(summary, kind="duplicate", reason=reasons[summary.name])
        if summary.name in reasons
        else summary
        for summary in summaries
    ]


def _is_function(column: RawColumn, other: RawColumn, rows: np.ndarray) -> bool:
    """Says whether a column has one value for each value of another one, a missing one included.

    With as many values in both it is one to one.
    """
    codes, other_codes = column.as_codes.codes, other.as_codes.codes
    assert codes is not None
    assert other_codes is not None
    code_of_value = np.full(len(other.as_codes.texts) + 1, -1, np.int32)
    code_of_value[other_codes[rows]] = codes[rows]
    return bool((code_of_value[other_codes[rows]] == codes[rows]).all())

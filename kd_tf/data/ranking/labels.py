"""Reads the label of each row: a click, a rating, or a click made of a number by a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kd_tf.data.formats.files import format_names
from kd_tf.data.ranking.column_types import INFINITE
from kd_tf.data.ranking.raw_table import RawColumn, RawTable
from kd_tf.errors import UserError
from kd_tf.runtime.features.label import Label

_PAIRS = (
    ("0", "1"), ("-1", "1"), ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"),
)  # fmt: skip
"""Values of a click that everybody reads alike, in lower case: the second is positive."""


@dataclass(frozen=True)
class LabelRules:
    """How the label is read.

    Attributes:
        name: Its column.
        threshold: Makes a click of numbers: those that are not below it are clicks.
        positive: Makes a click of any column: this value is a click, every other is none.

    Example:
        >>> LabelRules("rating", threshold=4).threshold
        4
    """

    name: str
    threshold: float | None = None
    positive: str | None = None


def read_labels(
    table: RawTable, rules: LabelRules
) -> tuple[RawTable, np.ndarray, Label, tuple[str, ...]]:
    """Reads the label of each row.

    A label of two values is a click. Of 0 and 1, -1 and 1, false and true, no and yes, n and y, f
    and t the second is positive; of two other numbers the larger one; of two other texts the one
    that comes last by its characters, with a note. More than two numbers are a rating from the
    least to the largest.

    Args:
        table: The table.
        rules: How the label is read.

    Returns:
        The table without bad rows; the labels, float32 [n], from 0 to 1; what they are; notes.

    Raises:
        UserError: A label is missing or no number, all are equal, or there are more than two texts.
    """
    table = _drop_infinite(_drop_missing(table, rules), rules)
    column = table.columns[rules.name]
    where = table.locate(0, rules.name)
    if rules.positive is not None and rules.threshold is not None:
        raise UserError(
            "the label has both a threshold and a positive value",
            where=where,
            hint="Give one of them.",
        )
    if rules.positive is not None:
        return _compare_with_positive(table, column.as_codes, rules, where)
    texts = column.texts if column.codes is None else _get_present_texts(column)
    has_numbers = column.codes is None or not np.isnan(column.text_numbers).all()
    if rules.threshold is None and column.codes is not None and len(texts) <= 2:
        return _read_click(table, column, texts, rules, where)
    if not has_numbers:
        examples = format_names(texts.head(5).to_list())
        raise UserError(
            f"the label has {len(texts)} values that are no numbers: {examples}",
            where=where,
            hint="Name the one that is positive (positive), or another column (label).",
        )
    is_bad = ~np.isfinite(column.read_numbers())
    table = _drop_bad_numbers(table, rules, is_bad)
    numbers = table.columns[rules.name].read_numbers()
    if rules.threshold is not None:
        values = numbers >= rules.threshold
        _require_two_classes(values, f"not below {rules.threshold:g}", where)
        return table, values.astype(np.float32), Label(rules.name, "click"), ()
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        raise _make_constant_error(f"{low:g}", where)
    is_click = len(np.unique(numbers[:1000])) <= 2 and len(np.unique(numbers)) == 2
    label = Label(rules.name, "click" if is_click else "rating", low, high)
    labels = label.scale(numbers)
    return table, labels, Label(rules.name, "click") if is_click else label, ()


def _get_present_texts(column: RawColumn) -> pl.Series:
    """Returns the distinct values that rows still have."""
    assert column.codes is not None
    counts = np.bincount(column.codes, minlength=len(column.texts))
    return column.texts.filter(pl.Series(counts > 0))


def _drop_missing(table: RawTable, rules: LabelRules) -> RawTable:
    is_missing = table.columns[rules.name].is_missing
    if is_missing.all():
        raise UserError(
            "no row has a label",
            where=table.locate(0, rules.name),
            hint="Name the column that has them: label.",
        )
    count = int(is_missing.sum())
    reason = f"is no label; {count:,} of {len(table):,} rows have none"
    return table.drop_bad_rows(is_missing, [""] * count, reason, rules.name)[0]


def _drop_infinite(table: RawTable, rules: LabelRules) -> RawTable:
    column = table.columns[rules.name]
    if column.codes is None:
        return table
    is_infinite = np.isinf(column.text_numbers) | column.texts.str.contains(INFINITE).to_numpy()
    return _drop_bad_numbers(table, rules, is_infinite[column.codes])


def _drop_bad_numbers(table: RawTable, rules: LabelRules, is_bad: np.ndarray) -> RawTable:
    if not is_bad.any():
        return table
    column = table.columns[rules.name].as_codes
    assert column.codes is not None
    values = column.texts.gather(column.codes[is_bad]).to_list()
    return table.drop_bad_rows(is_bad, values, "is no finite number", rules.name)[0]


def _read_click(
    table: RawTable, column: RawColumn, texts: pl.Series, rules: LabelRules, where: str
) -> tuple[RawTable, np.ndarray, Label, tuple[str, ...]]:
    """Reads a label of at most two values."""
    if len(texts) < 2:
        raise _make_constant_error(repr(texts[0]), where)
    first, second = sorted(texts.to_list())
    notes: tuple[str, ...] = ()
    numbers = dict(zip(column.texts, column.text_numbers, strict=True))
    pair = {first.lower(): first, second.lower(): second}
    known_pair = next((texts for texts in _PAIRS if set(texts) == set(pair)), None)
    if known_pair is not None:
        positive = pair[known_pair[1]]
    elif np.isfinite([numbers[first], numbers[second]]).all():
        positive = max((first, second), key=numbers.__getitem__)
    else:
        positive = second
    if known_pair is None:
        other = first if positive == second else second
        notes = (f"label {rules.name}: {positive!r} is taken for 1, {other!r} for 0 (positive)",)
    assert column.codes is not None
    is_positive = (column.texts == positive).to_numpy()
    return table, is_positive[column.codes].astype(np.float32), Label(rules.name, "click"), notes


def _compare_with_positive(
    table: RawTable, column: RawColumn, rules: LabelRules, where: str
) -> tuple[RawTable, np.ndarray, Label, tuple[str, ...]]:
    """Reads a label of which one value is a click."""
    assert column.codes is not None
    is_positive = (column.texts == str(rules.positive).strip()).to_numpy()
    values = is_positive[column.codes]
    if not values.any():
        examples = format_names(column.texts.head(5).to_list())
        raise UserError(
            f"no label is {rules.positive!r}; there are {examples}",
            where=where,
            hint="Give the value as the table has it: positive.",
        )
    _require_two_classes(values, f"{rules.positive!r}", where)
    return table, values.astype(np.float32), Label(rules.name, "click"), ()


def _require_two_classes(values: np.ndarray, what: str, where: str) -> None:
    if values.all() or not values.any():
        raise UserError(
            f"there is one class only: {'every' if values.all() else 'no'} label is {what}",
            where=where,
            hint="A model needs both; for a table of positives alone draw negatives: negatives.",
        )


def _make_constant_error(value: str, where: str) -> UserError:
    return UserError(
        f"there is one class only: every label is {value}",
        where=where,
        hint="A model needs both; for a table of positives alone leave the label out and draw "
        "negatives: negatives.",
    )

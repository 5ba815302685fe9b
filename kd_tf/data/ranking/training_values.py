"""What the training rows have in a column, on which alone types and features depend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from kd_tf.data.ranking.raw_table import RawColumn, format_numbers


@dataclass(frozen=True, eq=False)
class TrainingValues:
    """The distinct values of a column in the training rows.

    Attributes:
        name: Name of the column.
        counts: int64 [d], the number of rows with each value.
        numbers: float64 [d], the values as numbers; NaN where one is none.
        num_rows: Number of training rows.
        is_long_text: Whether the column held sentences, which were not kept.
    """

    name: str
    counts: np.ndarray
    numbers: np.ndarray
    num_rows: int
    is_long_text: bool = False
    texts_or_none: pl.Series | None = None

    @cached_property
    def texts(self) -> pl.Series:
        """The canonical texts of the values: String [d]."""
        return format_numbers(self.numbers) if self.texts_or_none is None else self.texts_or_none

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def num_present(self) -> int:
        """Number of training rows that have a value."""
        return int(self.counts.sum())

    @property
    def num_missing(self) -> int:
        """Number of training rows without a value."""
        return self.num_rows - self.num_present

    @property
    def is_integer(self) -> bool:
        """Whether all values are whole numbers."""
        return bool(np.isfinite(self.numbers).all() and (self.numbers % 1 == 0).all())

    def select(self, mask: np.ndarray) -> TrainingValues:
        """Returns the values of a mask, bool [d]; rows with others count as missing."""
        texts = None if self.texts_or_none is None else self.texts_or_none.filter(pl.Series(mask))
        return TrainingValues(
            self.name, self.counts[mask], self.numbers[mask], self.num_rows,
            self.is_long_text, texts,
        )  # fmt: skip

    def sort_by_number(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the numbers in ascending order, and the number of rows with each."""
        order = np.argsort(self.numbers, kind="stable")
        return self.numbers[order], self.counts[order]


def collect_training_values(column: RawColumn, rows: np.ndarray) -> TrainingValues:
    """Counts the values of a column in some rows.

    Args:
        column: The column.
        rows: int64 [n], the rows.
    """
    if column.is_long_text:
        assert column.codes is not None
        num_present = int((column.codes[rows] >= 0).sum())
        texts = pl.Series([], dtype=pl.String)
        return TrainingValues(
            column.name, np.array([num_present]), np.array([np.nan]), len(rows), True, texts
        )
    if column.codes is None:
        assert column.numbers is not None
        numbers, counts = np.unique(column.numbers[rows], return_counts=True)
        is_number = ~np.isnan(numbers)
        return TrainingValues(column.name, counts[is_number], numbers[is_number], len(rows))
    counts = np.bincount(column.codes[rows] + 1, minlength=len(column.texts) + 1)[1:]
    present = np.flatnonzero(counts)
    return TrainingValues(
        column.name,
        counts[present],
        column.text_numbers[present],
        len(rows),
        texts_or_none=column.texts.gather(present),
    )

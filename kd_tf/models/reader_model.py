"""Models that are asked by the numbers of training readers and know nobody else."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.keras import tf
from kd_tf.models.base import HistoryModel


class ReaderModel(HistoryModel):
    """A row of what it is asked is a reader's number plus 1; any other number is nobody.

    No app can use such a model, as its readers were in no training: it cannot be exported.

    Args:
        readers: R, how many numbers of readers there are.
        longest: How many books a reader read in training at most; `remember` fills in which.
    """

    forms = ()

    def __init__(self, *, readers: int, longest: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "history_length": 1})
        if readers < 1 or longest < 1:
            raise ValueError(f"readers and longest must be at least 1, not {readers} and {longest}")
        self.readers, self.longest = readers, longest
        self.read = self.rows_of_books("read", longest)

    @staticmethod
    def sizes(train: Histories) -> dict[str, int]:
        """The constructor's `readers` and `longest` for these training readers.

        Raises:
            ValueError: The histories do not say whose they are.
        """
        numbers = _numbers(train)
        return {
            "readers": int(numbers.max(initial=0)) + 1,
            "longest": max(int(train.lengths.max(initial=1)), 1),
        }

    def rows_of_books(self, name: str, columns: int) -> tf.Variable:
        """A new weight int32 [R + 1, `columns`] for books of every reader."""
        return self.add_weight(
            name=name,
            shape=(self.readers + 1, columns),
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )

    def remember(self, train: Histories) -> None:
        """Fills in what the training readers read: a book of theirs is never an answer."""
        fill(self.read, train)

    def excluded(self, history: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.read, self.numbers(history))

    def numbers(self, rows: tf.Tensor) -> tf.Tensor:
        """int32 [B]: numbers plus 1 of rows int32 [B, 1], 0 for nobody."""
        found = rows[:, 0]
        return tf.where((found >= 1) & (found <= self.readers), found, 0)

    def rows_of(self, histories: Histories) -> np.ndarray:
        return _numbers(histories)[:, None] + 1

    def histories_of(self, rows: np.ndarray) -> Histories:
        offsets = np.zeros(len(rows) + 1, np.int64)
        return Histories(np.zeros(0, np.int32), offsets, readers=rows[:, 0].astype(np.int32) - 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "readers": self.readers, "longest": self.longest}


def fill(table: tf.Variable, train: Histories) -> None:
    """Puts the newest books of training readers into a weight of `ReaderModel.rows_of_books`."""
    rows = np.zeros(table.shape, np.int32)
    rows[_numbers(train) + 1] = train.padded(table.shape[1])
    table.assign(rows)


def _numbers(histories: Histories) -> np.ndarray:
    """int32 [n]."""
    if histories.readers is None:
        raise ValueError("the histories do not say whose they are: readers are known by number")
    return histories.readers.astype(np.int32)

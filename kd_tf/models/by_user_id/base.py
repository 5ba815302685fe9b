"""Models that are asked by the numbers of training readers and know nobody else."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.histories import Histories
from kd_tf.models.base import HistoryModel


class UserIdModel(HistoryModel):
    """A row of what it is asked is a reader's number plus 1; any other number is nobody.

    No app can use such a model, as its readers were in no training: it cannot be exported.

    Args:
        readers: R, how many numbers of readers there are.
        longest: How many books a reader read in training at most; `remember` fills in which.
    """

    quantizations = ()

    def __init__(self, *, num_users: int, max_seen_items: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "history_length": 1})
        if num_users < 1 or max_seen_items < 1:
            raise ValueError(
                f"readers and longest must be at least 1, not {num_users} and {max_seen_items}"
            )
        self.num_users, self.max_seen_items = num_users, max_seen_items
        self.seen_items_table = self.add_item_table("read", max_seen_items)

    @staticmethod
    def infer_sizes(train: Histories) -> dict[str, int]:
        """The constructor's `readers` and `longest` for these training readers.

        Raises:
            ValueError: The histories do not say whose they are.
        """
        numbers = _get_user_indices(train)
        return {
            "readers": int(numbers.max(initial=0)) + 1,
            "longest": max(int(train.lengths.max(initial=1)), 1),
        }

    def add_item_table(self, name: str, columns: int) -> tf.Variable:
        """A new weight int32 [R + 1, `columns`] for books of every reader."""
        return self.add_weight(
            name=name,
            shape=(self.num_users + 1, columns),
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )

    def assign_histories(self, train: Histories) -> None:
        """Fills in what the training readers read: a book of theirs is never an answer."""
        fill_item_table(self.seen_items_table, train)

    def seen_items(self, history: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.seen_items_table, self.user_rows(history))

    def user_rows(self, inputs: tf.Tensor) -> tf.Tensor:
        """int32 [B]: numbers plus 1 of rows int32 [B, 1], 0 for nobody."""
        found = inputs[:, 0]
        return tf.where((found >= 1) & (found <= self.num_users), found, 0)

    def to_inputs(self, histories: Histories) -> np.ndarray:
        return _get_user_indices(histories)[:, None] + 1

    def from_inputs(self, inputs: np.ndarray) -> Histories:
        offsets = np.zeros(len(inputs) + 1, np.int64)
        return Histories(np.zeros(0, np.int32), offsets, users=inputs[:, 0].astype(np.int32) - 1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_users": self.num_users,
            "max_seen_items": self.max_seen_items,
        }


def fill_item_table(table: tf.Variable, train: Histories) -> None:
    """Puts the newest books of training readers into a weight of `ReaderModel.rows_of_books`."""
    rows = np.zeros(table.shape, np.int32)
    rows[_get_user_indices(train) + 1] = train.pad(table.shape[1])
    table.assign(rows)


def _get_user_indices(histories: Histories) -> np.ndarray:
    """int32 [n]."""
    if histories.users is None:
        raise ValueError("the histories do not say whose they are: readers are known by number")
    return histories.users.astype(np.int32)

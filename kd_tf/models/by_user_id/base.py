"""Base of models that look up users by index and know only the training users."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.examples.sequences import Examples, draw_user_id_examples
from kd_tf.data.histories import Histories
from kd_tf.data.split import TrainingSet
from kd_tf.models.base import HistoryModel


class UserIdModel(HistoryModel):
    """Base of models whose input is a user index instead of a history.

    The input is int32 [B, 1], user index plus 1; any other number means an unknown user. Such a
    model cannot be exported: the users of an app were not in the training set.

    Args:
        num_users: R, the number of user indices.
        max_seen_items: The largest number of items that a user has in the training set;
            `assign_histories` stores them.
        **kwargs: `num_items`, see `HistoryModel`.

    Raises:
        ValueError: A size is below 1.
    """

    quantizations = ()

    def __init__(self, *, num_users: int, max_seen_items: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "max_length": 1})
        if num_users < 1 or max_seen_items < 1:
            raise ValueError(
                "num_users and max_seen_items must be at least 1, not "
                f"{num_users} and {max_seen_items}"
            )
        self.num_users, self.max_seen_items = num_users, max_seen_items
        self.seen_items_table = self.add_item_table("seen_items", max_seen_items)

    @staticmethod
    def infer_sizes(train: Histories) -> dict[str, int]:
        """Computes the constructor's `num_users` and `max_seen_items` for training histories.

        Raises:
            ValueError: The histories have no user indices.
        """
        indices = _get_user_indices(train)
        return {
            "num_users": int(indices.max(initial=0)) + 1,
            "max_seen_items": max(int(train.lengths.max(initial=1)), 1),
        }

    def add_item_table(self, name: str, columns: int) -> tf.Variable:
        """Adds a weight int32 [R + 1, `columns`] that holds items of each user."""
        return self.add_weight(
            name=name,
            shape=(self.num_users + 1, columns),
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )

    def assign_histories(self, train: Histories) -> None:
        """Stores the training histories; their items are never recommended to these users."""
        fill_item_table(self.seen_items_table, train)

    def prepare_fit(self, train: TrainingSet) -> None:
        """Stores the training histories, whose items are never recommended."""
        super().prepare_fit(train)
        self.assign_histories(train)

    def draw_examples(
        self, train: TrainingSet, *, num_passes: int, num_targets: int, seed: int
    ) -> Examples:
        """Draws examples of (user index, items); see `draw_user_id_examples`."""
        return draw_user_id_examples(
            train, num_passes=num_passes, num_targets=num_targets, seed=seed
        )

    def seen_items(self, history: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.seen_items_table, self.user_rows(history))

    def user_rows(self, inputs: tf.Tensor) -> tf.Tensor:
        """Converts inputs int32 [B, 1] to table rows int32 [B]: index plus 1, 0 if unknown."""
        rows = inputs[:, 0]
        return tf.where((rows >= 1) & (rows <= self.num_users), rows, 0)

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
    """Fills a weight of `UserIdModel.add_item_table` with the newest items of each user."""
    rows = np.zeros(table.shape, np.int32)
    rows[_get_user_indices(train) + 1] = train.pad(table.shape[1])
    table.assign(rows)


def _get_user_indices(histories: Histories) -> np.ndarray:
    """Returns the user index of each history: int32 [n]."""
    if histories.users is None:
        raise ValueError("the histories have no user indices, which this model looks users up by")
    return histories.users.astype(np.int32)

"""A history model behind an interface of user indices."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.models.base import HistoryModel
from kd_tf.models.by_user_id.base import UserIdModel, fill_item_table
from kd_tf.serialization import build_model, describe_model


@keras.saving.register_keras_serializable(package="kd_tf")
class UserHistoryLookup(UserIdModel):
    """Scores for a user index by looking up the user's history and running a history model.

    With it any teacher can teach a student that takes user indices (`MatrixFactorization`).

    Args:
        model: The history model; it sees the newest `model.max_length` items of a user.
        **kwargs: `num_users` and `max_seen_items`, see `UserIdModel`.
    """

    def __init__(self, *, model: HistoryModel, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "num_items": model.num_items})
        self.model = model
        self.peak_score_rows = model.peak_score_rows
        self.recent_items = self.add_item_table("recent_items", model.max_length)

    @classmethod
    def from_histories(cls, model: HistoryModel, train: Histories) -> Self:
        """Builds the lookup from a trained `model` and the training histories.

        Raises:
            ValueError: The histories have no user indices.
        """
        lookup = cls(model=model, **cls.infer_sizes(train))
        lookup.create_weights()
        lookup.assign_histories(train)
        return lookup

    def assign_histories(self, train: Histories) -> None:
        super().assign_histories(train)
        fill_item_table(self.recent_items, train)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores the whole catalog: float32 [B, V + 1] for user index plus 1, int32 [B, 1]."""
        return self.model(self._gather_histories(inputs), training=training)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.model.user_embeddings(self._gather_histories(history), training=training)

    def item_embeddings(self) -> tf.Tensor:
        return self.model.item_embeddings()

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        return self.model.similar(item)

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        return self.model.contributions(self._gather_histories(history), item)

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        inputs = self._gather_histories(tf.constant(self.to_inputs(histories))).numpy()
        return self.model.numpy_scores(self.model.from_inputs(inputs))

    def _gather_histories(self, inputs: tf.Tensor) -> tf.Tensor:
        """Looks up the newest items of the users, int32 [B, L]: the input of the model."""
        rows = self.user_rows(inputs)
        items = tf.gather(self.recent_items, rows)
        if not self.model.looks_up_users:
            return items
        marks = tf.where(rows > 0, rows + self.num_items, 0)
        return tf.concat([items, tf.expand_dims(marks, 1)], axis=1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["num_items"], config["max_length"]  # from_config takes both from the model
        return {**config, "model": describe_model(self.model)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> UserHistoryLookup:
        """Rebuilds the model from `get_config`, with new weights."""
        return cls(**{**config, "model": build_model(config["model"])})

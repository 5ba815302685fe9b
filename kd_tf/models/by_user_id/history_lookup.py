"""A model of histories that is asked by the numbers of training readers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.models.base import HistoryModel
from kd_tf.models.by_user_id.base import UserIdModel, fill_item_table


@keras.saving.register_keras_serializable(package="kd_tf")
class UserHistoryLookup(UserIdModel):
    """Answers for a reader's number with what a model says of the reader's books.

    With it any teacher can teach a student that knows readers by number (`MatrixFactorization`).

    Args:
        model: Sees the newest books of a reader, as many as it takes.
        **kwargs: `readers` and `longest` as for `ReaderModel`.
    """

    def __init__(self, *, model: HistoryModel, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "books": model.num_items})
        self.model = model
        self.peak_score_rows = model.peak_score_rows
        self.recent_items = self.add_item_table("newest", model.max_length)

    @classmethod
    def from_histories(cls, model: HistoryModel, train: Histories) -> Self:
        """The finished `model`, for the readers of `train`.

        Raises:
            ValueError: The histories do not say whose they are.
        """
        found = cls(model=model, **cls.infer_sizes(train))
        found.create_weights()
        found.assign_histories(train)
        return found

    def assign_histories(self, train: Histories) -> None:
        super().assign_histories(train)
        fill_item_table(self.recent_items, train)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores of the whole catalogue: float32 [B, V + 1] of readers int32 [B, 1]."""
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
        items = self._gather_histories(tf.constant(self.to_inputs(histories))).numpy()
        return self.model.numpy_scores(self.model.from_inputs(items))

    def _gather_histories(self, inputs: tf.Tensor) -> tf.Tensor:
        """int32 [B, L]: the newest books of readers, as the model takes them."""
        return tf.gather(self.recent_items, self.user_rows(inputs))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["num_items"], config["history_length"]  # the model's
        return {**config, "model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> UserHistoryLookup:
        """The model that `get_config` described, with new weights."""
        return cls(**{**config, "model": keras.saving.deserialize_keras_object(config["model"])})

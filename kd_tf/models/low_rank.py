"""A matrix of which book speaks for which as the product of two thin ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.keras import keras, tf
from kd_tf.models.additive import AdditiveModel


@keras.saving.register_keras_serializable(package="kd_tf")
class LowRankModel(AdditiveModel):
    """``added(h, i) = <left_h, right_i>``: a linear model of the history with a bottleneck.

    Args:
        books: V.
        history_length: L.
        dimensions: d. `assign` fills both tables.
    """

    tables = ("left", "right")

    def __init__(self, *, dimensions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if dimensions < 1:
            raise ValueError(f"dimensions must be at least 1, not {dimensions}")
        self.dimensions = dimensions
        self.vectors_at_once = 1 + self.history_length * dimensions // (self.books + 1)
        shape = (self.books + 1, dimensions)

        def drawn(name: str) -> tf.Variable:
            # An initializer each: one alone would draw the same table twice.
            small = keras.initializers.RandomNormal(stddev=0.05)
            return self.add_weight(name=name, shape=shape, initializer=small)

        self.left, self.right = drawn("left"), drawn("right")

    def assign(self, left: np.ndarray, right: np.ndarray) -> None:
        """Takes over both tables: float32 [V + 1, d], row 0 is ignored.

        Raises:
            ValueError: A shape is another.
        """
        shape = (self.books + 1, self.dimensions)
        if left.shape != shape or right.shape != shape:
            raise ValueError(
                f"the tables must be {list(shape)}, not {list(left.shape)} and "
                f"{list(right.shape)}: they belong to another catalogue"
            )
        self.left.assign(left)
        self.right.assign(right)

    def compact(self) -> LowRankModel:
        compact = type(self).from_config({**self.get_config(), "coded": True})
        compact.create_weights()
        compact.assign(self.left.numpy(), self.right.numpy())
        compact.prior.assign(self.prior.numpy())
        return compact

    def added(self, ids: tf.Tensor) -> tf.Tensor:
        return self.summed(tf.expand_dims(ids, 1))

    def summed(self, ids: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(self.left, ids)
        there = tf.expand_dims(tf.cast(ids > 0, rows.dtype), 1)
        reader = tf.matmul(there, rows)[:, 0]
        return tf.matmul(reader, self.right, transpose_b=True)

    def added_to(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        there = tf.expand_dims(tf.cast(ids > 0, self.left.dtype), 2)
        rows = tf.gather(self.left, ids) * there
        return tf.matmul(rows, tf.gather(self.right, candidates), transpose_b=True)

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).matrix(self.books)
        scores = (read @ self.left.numpy()) @ self.right.numpy().T
        return np.asarray(scores + self.prior.numpy(), np.float32)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dimensions": self.dimensions}

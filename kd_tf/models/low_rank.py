"""A matrix of which book speaks for which as the product of two thin ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.models.additive import AdditiveModel


@keras.saving.register_keras_serializable(package="kd_tf")
class LowRankModel(AdditiveModel):
    """``added(h, i) = <left_h, right_i>``: a linear model of the history with a bottleneck.

    Args:
        books: V.
        history_length: L.
        dimensions: d. `assign` fills both tables.
    """

    quantized_weights = ("left", "right")

    def __init__(self, *, embedding_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if embedding_dim < 1:
            raise ValueError(f"dimensions must be at least 1, not {embedding_dim}")
        self.embedding_dim = embedding_dim
        self.peak_score_rows = 1 + self.max_length * embedding_dim // (self.num_items + 1)
        shape = (self.num_items + 1, embedding_dim)

        def drawn(name: str) -> tf.Variable:
            # An initializer each: one alone would draw the same table twice.
            small = keras.initializers.RandomNormal(stddev=0.05)
            return self.add_weight(name=name, shape=shape, initializer=small)

        self.input_factors, self.output_factors = drawn("left"), drawn("right")

    def assign(self, input_factors: np.ndarray, output_factors: np.ndarray) -> None:
        """Takes over both tables: float32 [V + 1, d], row 0 is ignored.

        Raises:
            ValueError: A shape is another.
        """
        shape = (self.num_items + 1, self.embedding_dim)
        if input_factors.shape != shape or output_factors.shape != shape:
            raise ValueError(
                f"the tables must be {list(shape)}, not {list(input_factors.shape)} and "
                f"{list(output_factors.shape)}: they belong to another catalogue"
            )
        self.input_factors.assign(input_factors)
        self.output_factors.assign(output_factors)

    def pack(self) -> LowRankModel:
        compact = type(self).from_config({**self.get_config(), "coded": True})
        compact.create_weights()
        compact.assign(self.input_factors.numpy(), self.output_factors.numpy())
        compact.prior.assign(self.prior.numpy())
        return compact

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        return self.sum_scores(tf.expand_dims(ids, 1))

    def sum_scores(self, ids: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(self.input_factors, ids)
        there = tf.expand_dims(tf.cast(ids > 0, rows.dtype), 1)
        user = tf.matmul(there, rows)[:, 0]
        return tf.matmul(user, self.output_factors, transpose_b=True)

    def candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        there = tf.expand_dims(tf.cast(ids > 0, self.input_factors.dtype), 2)
        rows = tf.gather(self.input_factors, ids) * there
        return tf.matmul(rows, tf.gather(self.output_factors, candidates), transpose_b=True)

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        scores = (read @ self.input_factors.numpy()) @ self.output_factors.numpy().T
        return np.asarray(scores + self.prior.numpy(), np.float32)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dimensions": self.embedding_dim}

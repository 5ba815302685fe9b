"""A linear item-item model whose weight matrix is the product of two low-rank factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.content.item_mixtures import ItemMixtures


@keras.saving.register_keras_serializable(package="kd_tf")
class LowRankModel(AdditiveModel):
    """Scores ``item_scores(h)[i] = <input_factors_h, output_factors_i>``, of rank d.

    Args:
        embedding_dim: d. `assign` sets both factors.
        **kwargs: `num_items`, `max_length` and `quantized`, see `AdditiveModel`.

    Raises:
        ValueError: `embedding_dim` is below 1.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import tf
        >>> model = LowRankModel(num_items=2, max_length=2, embedding_dim=1)
        >>> model.assign(np.array([[0], [1], [2]]), np.array([[0], [10], [20]]))
        >>> model(tf.constant([[1, 0], [1, 2]])).numpy()
        array([[ 0., 10., 20.],
               [ 0., 30., 60.]], dtype=float32)
        >>> model.contributions(tf.constant([[1, 2]]), tf.constant([2])).numpy()
        array([[20., 40.]], dtype=float32)
    """

    quantized_weights = ("input_factors", "output_factors")

    def __init__(self, num_items: int, *, embedding_dim: int, **kwargs: Any) -> None:
        super().__init__(num_items, **kwargs)
        if embedding_dim < 1:
            raise ValueError(f"embedding_dim must be at least 1, not {embedding_dim}")
        self.set_embedding_dim(embedding_dim)

    def set_embedding_dim(self, embedding_dim: int) -> None:
        """Creates the factors with d columns, or replaces those with another number of columns."""
        if getattr(self, "embedding_dim", None) == embedding_dim:
            return
        self.embedding_dim = embedding_dim
        self.peak_score_rows = 1 + self.max_length * embedding_dim // (self.num_items + 1)
        for name in ("input_factors", "output_factors"):
            if hasattr(self, name):
                delattr(self, name)
        shape = (self.num_items + 1, embedding_dim)

        def add_factors(name: str) -> tf.Variable:
            # One initializer per table: a shared one would give both the same values.
            initializer = keras.initializers.RandomNormal(stddev=0.05)
            return self.add_weight(name=name, shape=shape, initializer=initializer)

        self.input_factors = add_factors("input_factors")
        self.output_factors = add_factors("output_factors")

    def assign(self, input_factors: np.ndarray, output_factors: np.ndarray) -> None:
        """Sets both factors: float32 [V + 1, d], row 0 is ignored.

        Raises:
            ValueError: A shape does not match.
        """
        shape = (self.num_items + 1, self.embedding_dim)
        if input_factors.shape != shape or output_factors.shape != shape:
            raise ValueError(
                f"the factors must be {list(shape)}, not {list(input_factors.shape)} and "
                f"{list(output_factors.shape)}: they belong to another catalog"
            )
        self.input_factors.assign(input_factors)
        self.output_factors.assign(output_factors)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        self.input_factors.assign(mixtures.mix_rows(self.input_factors.numpy()))
        self.output_factors.assign(mixtures.mix_rows(self.output_factors.numpy()))

    def pack(self) -> LowRankModel:
        packed_model: LowRankModel = type(self).from_config(
            {**self.get_config(), "is_quantized": True}
        )
        packed_model.create_weights()
        packed_model.assign(self.input_factors.numpy(), self.output_factors.numpy())
        packed_model.prior.assign(self.prior.numpy())
        return packed_model

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        return self.sum_scores(tf.expand_dims(ids, 1))

    def sum_scores(self, ids: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(self.input_factors, ids)
        mask = tf.expand_dims(tf.cast(ids > 0, rows.dtype), 1)
        user_factors = tf.matmul(mask, rows)[:, 0]
        return tf.matmul(user_factors, self.output_factors, transpose_b=True)

    def candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        mask = tf.expand_dims(tf.cast(ids > 0, self.input_factors.dtype), 2)
        rows = tf.gather(self.input_factors, ids) * mask
        return tf.matmul(rows, tf.gather(self.output_factors, candidates), transpose_b=True)

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        matrix = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        scores = (matrix @ self.input_factors.numpy()) @ self.output_factors.numpy().T
        return np.asarray(scores + self.prior.numpy(), np.float32)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "embedding_dim": self.embedding_dim}

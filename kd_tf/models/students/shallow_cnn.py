"""A student that sees the order of the history: one convolution beside the pooled history."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.pooling import make_item_mask, pool_weighted_rows
from kd_tf.models.tied_embedding import TiedEmbeddingModel


@keras.saving.register_keras_serializable(package="kd_tf")
class ShallowCNNStudent(TiedEmbeddingModel):
    """Pools the embeddings of the history and a convolution over them, then two dense layers.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings, d.
        filters: Number of filters of the convolution.
        kernel_size: How many consecutive items a filter sees.
        hidden: Width of the hidden layer.
        item_dropout: See `TiedEmbeddingModel`.
        **kwargs: As for `TiedEmbeddingModel`.
    """

    def __init__(
        self,
        num_items: int,
        *,
        max_length: int,
        embedding_dim: int = 32,
        filters: int = 32,
        kernel_size: int = 3,
        hidden: int = 64,
        item_dropout: float = 0.3,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_items=num_items,
            max_length=max_length,
            embedding_dim=embedding_dim,
            item_dropout=item_dropout,
            **kwargs,
        )
        self.filters, self.kernel_size, self.hidden = filters, kernel_size, hidden
        self.convolution = keras.layers.Conv1D(
            filters, kernel_size, padding="same", activation="relu", name="convolution"
        )
        self.core = keras.Sequential(
            [
                keras.layers.InputLayer((embedding_dim + filters,)),
                keras.layers.Dense(hidden, activation="relu", name="hidden"),
                keras.layers.Dense(embedding_dim, name="correction"),
            ],
            name="core",
        )

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the user embeddings, float32 [B, d]; see `TiedEmbeddingModel.encode`."""
        # Filters that reach over the end of a history must see zeros there; the outputs at padding
        # have weight 0 in the pool.
        features = pool_weighted_rows(self.convolution(rows * make_item_mask(weights)), weights)
        pooled_rows = pool_weighted_rows(rows, weights)
        return pooled_rows + self.core(
            tf.concat([pooled_rows, features], axis=1), training=training
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "hidden": self.hidden,
        }

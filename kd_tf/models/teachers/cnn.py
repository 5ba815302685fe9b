"""A convolutional teacher."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.dropout import Dropout
from kd_tf.layers.pooling import make_item_mask, pool_weighted_rows
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher


@keras.saving.register_keras_serializable(package="kd_tf")
class CNNTeacher(WideAndDeepTeacher):
    """Convolves the embeddings of the history and pools the result.

    After Tang & Wang, "Personalized Top-N Sequential Recommendation via Convolutional Sequence
    Embedding" (2018), with residual blocks in place of their full-width filters. The user
    embedding is the pooled item embeddings plus a dense layer over the pooled convolutions.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings, d.
        filters: Number of filters of each convolution.
        kernel_size: How many consecutive items a filter sees.
        num_blocks: Number of residual convolutions, one after the other.
        hidden: Width of the layer between the convolutions and the user embedding.
        item_dropout: See `TiedEmbeddingModel`.
        dropout: Dropout rate of the hidden layer.
        **kwargs: As for `WideAndDeepTeacher`.
    """

    def __init__(
        self,
        num_items: int,
        *,
        max_length: int,
        embedding_dim: int = 512,
        filters: int = 64,
        kernel_size: int = 3,
        num_blocks: int = 2,
        hidden: int = 512,
        item_dropout: float = 0.5,
        dropout: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_items=num_items,
            max_length=max_length,
            embedding_dim=embedding_dim,
            item_dropout=item_dropout,
            **kwargs,
        )
        self.filters, self.kernel_size, self.num_blocks = filters, kernel_size, num_blocks
        self.hidden, self.dropout = hidden, dropout
        self.projection = keras.layers.Dense(filters)
        self.convolutions = [
            keras.layers.Conv1D(filters, kernel_size, padding="same", activation="relu")
            for _ in range(num_blocks)
        ]
        self.core = keras.Sequential(
            [
                keras.layers.Dense(hidden, activation="relu"),
                Dropout(dropout),
                keras.layers.Dense(embedding_dim),
            ]
        )

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the user embeddings, float32 [B, d]; see `TiedEmbeddingModel.encode`."""
        mask = make_item_mask(weights)
        states = self.projection(rows) * mask
        for convolution in self.convolutions:
            states += convolution(states) * mask
        count = tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)
        mean = tf.reduce_sum(states, axis=1) / count
        # Padding states are 0: clip at 0, so that a full history is pooled like a padded one.
        maximum = tf.maximum(tf.reduce_max(states, axis=1), 0.0)
        pooled_rows = pool_weighted_rows(rows, weights)
        return pooled_rows + self.core(
            tf.concat([pooled_rows, mean, maximum], axis=1), training=training
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "num_blocks": self.num_blocks,
            "hidden": self.hidden,
            "dropout": self.dropout,
        }

"""A recurrent teacher."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.dropout import Dropout
from kd_tf.layers.pooling import make_item_mask, pool_weighted_rows
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher


@keras.saving.register_keras_serializable(package="kd_tf")
class GRUTeacher(WideAndDeepTeacher):
    """Runs a gated recurrent unit over the history and pools its states.

    After Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks" (2016).
    All states are pooled, not only the last one: if a history has no order (ratings without
    dates), the last item is no better evidence than any other.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings, d.
        units: Width of the recurrent state.
        hidden: Width of the layer between the states and the user embedding.
        item_dropout: See `TiedEmbeddingModel`.
        dropout: Dropout rate of the hidden layer.
        **kwargs: As for `WideAndDeepTeacher`.

    Example:
        >>> from kd_tf.backend import tf
        >>> teacher = GRUTeacher(num_items=100, max_length=5, embedding_dim=16, units=8)
        >>> teacher(tf.constant([[3, 1, 4, 0, 0]])).shape
        TensorShape([1, 101])
    """

    def __init__(
        self,
        num_items: int,
        *,
        max_length: int,
        embedding_dim: int = 512,
        units: int = 128,
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
        self.units, self.hidden, self.dropout = units, hidden, dropout
        self.projection = keras.layers.Dense(units)
        self.gru = keras.layers.GRU(units, return_sequences=True)
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
        states = self.gru(self.projection(rows), mask=mask[..., 0] > 0, training=training) * mask
        count = tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)
        mean = tf.reduce_sum(states, axis=1) / count
        newest = tf.reduce_sum(states * _mask_newest(mask), axis=1)
        pooled_rows = pool_weighted_rows(rows, weights)
        return pooled_rows + self.core(
            tf.concat([pooled_rows, mean, newest], axis=1), training=training
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "hidden": self.hidden,
            "dropout": self.dropout,
        }


def _mask_newest(mask: tf.Tensor) -> tf.Tensor:
    """Masks all but the newest item of each history.

    Args:
        mask: float32 [B, L, 1], 1 at items, 0 at padding.

    Returns:
        float32 [B, L, 1], 1 at the newest item, 0 elsewhere.
    """
    num_later = tf.cumsum(mask, axis=1, reverse=True, exclusive=True)
    return mask * tf.cast(num_later < 0.5, tf.float32)

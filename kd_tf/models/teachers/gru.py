"""A recurrent teacher."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher
from kd_tf.models.tied_embedding import make_item_mask, pool_weighted_rows


@keras.saving.register_keras_serializable(package="kd_tf")
class GRUTeacher(WideAndDeepTeacher):
    """A gated recurrent unit over the history, its states pooled and added to the books' own.

    After Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks" (2016).
    All states are pooled, not only the last one: where a history has no order (ratings without
    dates) the last book says no more than any other.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        units: Width of the recurrent state.
        hidden: Width of the layer between the states and the reader's vector.
        book_dropout: See `TiedTableModel`.
        dropout: On the hidden layer.
    """

    def __init__(
        self,
        *,
        num_items: int,
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
                rng.Dropout(dropout),
                keras.layers.Dense(embedding_dim),
            ]
        )

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        real = make_item_mask(weights)
        states = self.gru(self.projection(rows), mask=real[..., 0] > 0, training=training) * real
        count = tf.maximum(tf.reduce_sum(real, axis=1), 1.0)
        mean = tf.reduce_sum(states, axis=1) / count
        newest = tf.reduce_sum(states * _mask_newest(real), axis=1)
        own = pool_weighted_rows(rows, weights)
        return own + self.core(tf.concat([own, mean, newest], axis=1), training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "hidden": self.hidden,
            "dropout": self.dropout,
        }


def _mask_newest(real: tf.Tensor) -> tf.Tensor:
    """float32 [B, L, 1]: 1 at the newest book that is there, 0 elsewhere."""
    later = tf.cumsum(real, axis=1, reverse=True, exclusive=True)
    return real * tf.cast(later < 0.5, tf.float32)

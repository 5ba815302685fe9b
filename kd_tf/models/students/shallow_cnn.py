"""A student that sees which books were read one after the other."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.tied_embedding import (
    TiedEmbeddingModel,
    make_item_mask,
    pool_weighted_rows,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class ShallowCNNStudent(TiedEmbeddingModel):
    """One convolution over the history beside the pooled rows, then two dense layers.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        filters: Width of the convolution.
        kernel_size: How many neighbouring books a filter sees.
        hidden: Width of the hidden layer.
        book_dropout: See `TiedTableModel`.
    """

    def __init__(
        self,
        *,
        num_items: int,
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
        # Padding is zero for the filters that look over the end of a history, and what they see
        # there weighs nothing.
        seen = pool_weighted_rows(self.convolution(rows * make_item_mask(weights)), weights)
        own = pool_weighted_rows(rows, weights)
        return own + self.core(tf.concat([own, seen], axis=1), training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "hidden": self.hidden,
        }

"""The smallest student: a multilayer perceptron over the pooled embeddings of the history."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.tied_embedding import TiedEmbeddingModel, pool_weighted_rows


@keras.saving.register_keras_serializable(package="kd_tf")
class MLPStudent(TiedEmbeddingModel):
    """Pools the history's rows and corrects the sum by two dense layers (the dense core).

    A bag of books as in Covington et al., "Deep Neural Networks for YouTube Recommendations"
    (2016), with a residual connection, so that an empty correction is already a recommender.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        hidden: Width of the hidden layer.
        book_dropout: See `TiedTableModel`.
    """

    is_order_sensitive = False

    def __init__(
        self,
        *,
        num_items: int,
        max_length: int,
        embedding_dim: int = 32,
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
        self.hidden = hidden
        # A Sequential of its own: pruning wraps this part and leaves the table alone.
        self.core = keras.Sequential(
            [
                keras.layers.InputLayer((embedding_dim,)),
                keras.layers.Dense(hidden, activation="relu", name="hidden"),
                keras.layers.Dense(embedding_dim, name="correction"),
            ],
            name="core",
        )

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        own = pool_weighted_rows(rows, weights)
        return own + self.core(own, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden}

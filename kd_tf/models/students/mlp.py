"""The smallest student: a multilayer perceptron over the pooled history embeddings."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.pooling import pool_weighted_rows
from kd_tf.models.tied_embedding import TiedEmbeddingModel


@keras.saving.register_keras_serializable(package="kd_tf")
class MLPStudent(TiedEmbeddingModel):
    """Pools the embeddings of the history and adds the output of two dense layers.

    A bag of items as in Covington et al., "Deep Neural Networks for YouTube Recommendations"
    (2016), with a residual connection: the pooled embeddings alone are already a recommender.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings, d.
        hidden: Width of the hidden layer.
        item_dropout: See `TiedEmbeddingModel`.
        **kwargs: As for `TiedEmbeddingModel`.

    Example:
        >>> from kd_tf.backend import tf
        >>> student = MLPStudent(num_items=100, max_length=5, embedding_dim=8)
        >>> scores = student(tf.constant([[3, 1, 4, 0, 0]]))  # oldest first, padded with 0
        >>> scores.shape
        TensorShape([1, 101])
    """

    is_order_sensitive = False

    def __init__(
        self,
        num_items: int,
        *,
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
        # A separate Sequential: pruning wraps this part only, not the embedding table.
        self.core = keras.Sequential(
            [
                keras.layers.InputLayer((embedding_dim,)),
                keras.layers.Dense(hidden, activation="relu", name="hidden"),
                keras.layers.Dense(embedding_dim, name="correction"),
            ],
            name="core",
        )

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the user embeddings, float32 [B, d]; see `TiedEmbeddingModel.encode`."""
        pooled_rows = pool_weighted_rows(rows, weights)
        return pooled_rows + self.core(pooled_rows, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden}

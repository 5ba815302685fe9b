"""A large retrieval model with a user tower and an item tower."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.dropout import Dropout
from kd_tf.layers.pooling import pool_weighted_rows
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher
from kd_tf.models.tied_embedding import IN_BATCH


@keras.saving.register_keras_serializable(package="kd_tf")
class TwoTowerTeacher(WideAndDeepTeacher):
    """The retrieval model of TensorFlow Recommenders: dense layers over the pooled history.

    The scored items have an embedding table of their own. The Retrieval task trains against the
    other items of a batch with the log-Q correction, so that a training step does not grow with
    the catalog.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings, d.
        hidden: Width of the hidden layer.
        item_dropout: See `TiedEmbeddingModel`.
        dropout: Dropout rate of the hidden layer.
        objective: See `TiedEmbeddingModel`.
        **kwargs: As for `WideAndDeepTeacher`.
    """

    def __init__(
        self,
        num_items: int,
        *,
        max_length: int,
        embedding_dim: int = 256,
        hidden: int = 512,
        item_dropout: float = 0.5,
        dropout: float = 0.3,
        objective: str = IN_BATCH,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_items=num_items,
            max_length=max_length,
            embedding_dim=embedding_dim,
            item_dropout=item_dropout,
            objective=objective,
            **kwargs,
        )
        self.hidden, self.dropout = hidden, dropout
        self.candidate_table = self.add_weight(
            name="candidate_table",
            shape=(num_items + 1, embedding_dim),
            initializer=keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
        )
        self.core = keras.Sequential(
            [
                keras.layers.Dense(hidden, activation="relu"),
                Dropout(dropout),
                keras.layers.Dense(embedding_dim),
            ]
        )

    @property
    def scoring_table(self) -> tf.Variable:
        """float32 [V + 1, d], the embeddings of the scored items."""
        return self.candidate_table

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the user embeddings, float32 [B, d]; see `TiedEmbeddingModel.encode`."""
        pooled_rows = pool_weighted_rows(rows, weights)
        return pooled_rows + self.core(pooled_rows, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden, "dropout": self.dropout}

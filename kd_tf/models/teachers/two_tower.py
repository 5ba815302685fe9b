"""A large retrieval model: a tower for readers, a tower for books."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher
from kd_tf.models.tied_embedding import IN_BATCH, pool_weighted_rows


@keras.saving.register_keras_serializable(package="kd_tf")
class TwoTowerTeacher(WideAndDeepTeacher):
    """TFRS' retrieval model: dense layers over the pooled history, and a table for the books.

    Trained with the Retrieval task of TensorFlow Recommenders, against the other books of a
    batch with the log-Q correction, so that its steps do not grow with the catalogue.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        hidden: Width of the dense layers.
        book_dropout: See `TiedTableModel`.
        dropout: Between them.
        objective: See `TiedTableModel`.
    """

    def __init__(
        self,
        *,
        num_items: int,
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
                rng.Dropout(dropout),
                keras.layers.Dense(embedding_dim),
            ]
        )

    @property
    def scoring_table(self) -> tf.Variable:
        return self.candidate_table

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        own = pool_weighted_rows(rows, weights)
        return own + self.core(own, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden, "dropout": self.dropout}

"""A student with a tower for readers and one for books."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.students.mlp import MLPStudent


@keras.saving.register_keras_serializable(package="kd_tf")
class TwoTowerStudent(MLPStudent):
    """An MLP over the history, and a table of its own for the books that are scored.

    Two tables can say that a book is a good answer without being a good question, for twice the
    bytes of a tied one (Yi et al., "Sampling-Bias-Corrected Neural Modeling", 2019; TFRS'
    retrieval task trains it against the other readers of a batch).

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        hidden: Width of the hidden layer.
        book_dropout: See `TiedTableModel`.
    """

    quantized_weights = ("table", "candidate_table")

    # The integer pass would take one table for a copy of the other.
    quantizations = ("float32", "float16", "dynamic-int8")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate_table = self.add_weight(
            name="candidate_table",
            shape=(self.num_items + 1, self.embedding_dim),
            initializer=keras.initializers.RandomNormal(stddev=self.embedding_dim**-0.5),
        )

    @property
    def scoring_table(self) -> tf.Variable:
        return self.candidate_table

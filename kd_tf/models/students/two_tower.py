"""A student with a user tower and an item tower."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.students.mlp import MLPStudent


@keras.saving.register_keras_serializable(package="kd_tf")
class TwoTowerStudent(MLPStudent):
    """An MLP over the history, with a second embedding table for the scored items.

    With two tables an item can be a good recommendation without being good evidence in a history,
    at twice the bytes of a tied table (Yi et al., "Sampling-Bias-Corrected Neural Modeling",
    2019). The retrieval task of TensorFlow Recommenders can train it with in-batch negatives.

    Args:
        **kwargs: As for `MLPStudent`.

    Example:
        >>> student = TwoTowerStudent(num_items=100, max_length=5, embedding_dim=8)
        >>> student.table.shape, student.candidate_table.shape
        (TensorShape([101, 8]), TensorShape([101, 8]))
    """

    quantized_weights = ("table", "candidate_table")

    # Not int8: the pass that shares the table would mistake one table for a copy of the other.
    quantizations = ("float32", "float16", "dynamic-int8")

    def __init__(self, num_items: int, **kwargs: Any) -> None:
        super().__init__(num_items, **kwargs)
        self.candidate_table = self.add_weight(
            name="candidate_table",
            shape=(self.num_items + 1, self.embedding_dim),
            initializer=keras.initializers.RandomNormal(stddev=self.embedding_dim**-0.5),
        )

    @property
    def scoring_table(self) -> tf.Variable:
        """float32 [V + 1, d], the embeddings of the scored items."""
        return self.candidate_table

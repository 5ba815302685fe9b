"""The signatures of the ranking task that an app calls: contract version 2."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import tf
from kd_tf.models.ranking.base import RankingModel


class PredictionSignatures(tf.Module):
    """The two signatures as functions with static shapes, ready for the converter.

    - ``predict(categorical int32 [1, F], numeric float32 [1, G])``: ``probability`` float32 [1].
    - ``predict_batch(categorical [B, F], numeric [B, G])``: ``probability`` float32 [B].

    A model without categorical or without numeric features has only the other input.

    Args:
        student: The trained student.
        batch_size: B, the number of rows that ``predict_batch`` takes at once.

    Attributes:
        functions: Both signatures by name.

    Raises:
        ValueError: `batch_size` is less than 1.
    """

    def __init__(self, student: RankingModel, batch_size: int) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.student = student
        self.functions = {
            name: tf.function(self._predict, input_signature=self._make_specs(num_rows))
            for name, num_rows in (("predict", 1), ("predict_batch", batch_size))
        }

    def _make_specs(self, num_rows: int) -> list[tf.TensorSpec]:
        return [
            tf.TensorSpec([num_rows, array.shape[1]], array.dtype, name=name)
            for name, array in self.student.make_empty_inputs().items()
        ]

    def _predict(self, *arrays: tf.Tensor) -> dict[str, Any]:
        inputs = dict(zip(self.student.make_empty_inputs(), arrays, strict=True))
        # Not through Keras' __call__, which puts the student's name before those of operators.
        return {"probability": tf.sigmoid(self.student.call(inputs, training=False))}

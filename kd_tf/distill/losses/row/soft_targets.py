"""Soft targets: the divergence from the teacher's softened probability."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.row.base import RowDistillationLoss


@keras.saving.register_keras_serializable(package="kd_tf")
class RowSoftTargets(RowDistillationLoss):
    """Matches the teacher's probability: T^2 * KL(teacher || student) at temperature T.

    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015), for a label of
    two values. The factor T^2 keeps the size of the gradient the same at every temperature.

    Args:
        temperature: T, above 0; both logits are divided by it.
        **kwargs: As for `RowDistillationLoss`.

    Example:
        >>> labels = {"teacher_logits": [[2.0], [2.0]]}
        >>> batch = DistillationBatch.from_row_logits([2.0, -2.0], labels)
        >>> losses = RowSoftTargets(temperature=2.0).compute_loss(batch)
        >>> [round(float(loss), 3) for loss in losses]
        [0.0, 1.848]
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        teacher = self.combine_teachers(batch) / self.temperature
        student = batch.student_logits / self.temperature
        return self.temperature**2 * compute_bernoulli_divergence(teacher, student)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


def compute_bernoulli_divergence(target_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Computes KL(target || other) of probabilities given by logits, float32 [B] each."""
    probability = tf.sigmoid(target_logits)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(probability, target_logits)
    return tf.nn.sigmoid_cross_entropy_with_logits(probability, logits) - entropy

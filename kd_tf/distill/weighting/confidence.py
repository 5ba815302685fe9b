"""Weights each example by the teacher's confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.weighting.base import LossWeighting
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class TeacherConfidence(LossWeighting):
    """Weights the distillation losses of each example by the teacher's confidence c.

    ``loss = (1 - c) * student_loss + c * sum(distillation_losses)`` with
    ``c = (1 - student_loss_weight) * (1 - H / log K)``. H is the entropy of the teacher's softened
    distribution over its top K items: c is 0 where all K items are equally likely and
    ``1 - student_loss_weight`` where the teacher is certain of one item.

    Zhang, Chen & Wang, "Confidence-Aware Multi-Teacher Knowledge Distillation" (ICASSP 2022), also
    weight each sample by the teacher's confidence. They measure it on the true label; here a user
    has many true items, so the entropy is used instead.

    Args:
        student_loss_weight: Minimum weight of the student loss, 0 to 1.
        temperature: The teacher's logits are divided by it, above 0.

    Example:
        >>> weighting = TeacherConfidence(student_loss_weight=0.2, temperature=2.0)
        >>> weighting.student_loss_weight, weighting.temperature
        (0.2, 2.0)
    """

    def __init__(
        self, student_loss_weight: float = 0.3, temperature: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= student_loss_weight <= 1 or not temperature > 0:
            raise ValueError(
                "student_loss_weight must be in [0, 1] and temperature above 0, not "
                f"{student_loss_weight} and {temperature}"
            )
        self.student_loss_weight, self.temperature = student_loss_weight, temperature

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        """Computes the combined loss of each example, see `LossWeighting.combine`."""
        if not distillation_losses:
            raise ValueError("there are no distillation losses to weight")
        weight = self.compute_weight(batch)
        return (1 - weight) * student_loss + weight * tf.add_n(list(distillation_losses))

    def compute_weight(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes c of each example: float32 [B], 0 where the teacher has no output."""
        is_item = batch.labels["teacher_ids"] > 0
        logits = tf.cast(batch.labels["teacher_logits"], tf.float32) / self.temperature
        log_probs = tf.nn.log_softmax(tf.where(is_item, logits, MASKED_LOGIT), axis=1)
        entropy = -tf.reduce_sum(tf.where(is_item, tf.exp(log_probs) * log_probs, 0.0), axis=1)
        count = tf.reduce_sum(tf.cast(is_item, tf.float32), axis=1)
        relative_entropy = tf.math.divide_no_nan(entropy, tf.math.log(tf.maximum(count, 1.0)))
        confidence = tf.clip_by_value(1 - relative_entropy, 0.0, 1.0)
        return (1 - self.student_loss_weight) * tf.where(count > 0, confidence, 0.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "student_loss_weight": self.student_loss_weight,
            "temperature": self.temperature,
        }

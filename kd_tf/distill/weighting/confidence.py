"""A teacher counts where it is sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.weighting.base import LossWeighting
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class TeacherConfidence(LossWeighting):
    """``(1 - c) * hard + c * sum of soft``, c a weight of each example of its own.

    c = (1 - alpha) * (1 - H / log K), H the entropy of the teacher's softened distribution over
    its K best books: 0 where they are all alike to it, 1 - alpha where it names one. Weights by a
    teacher's confidence in each sample as in Zhang, Chen & Wang, "Confidence-Aware Multi-Teacher
    Knowledge Distillation" (ICASSP 2022), which measures it by the true label instead; readers
    have many.

    Args:
        alpha: The least weight of the hard loss, 0 to 1.
        temperature: That the teacher's logits are divided by, above 0.
    """

    def __init__(
        self, student_loss_weight: float = 0.3, temperature: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= student_loss_weight <= 1 or not temperature > 0:
            raise ValueError(
                f"alpha must be in [0, 1] and temperature above 0, not {student_loss_weight} and {temperature}"
            )
        self.student_loss_weight, self.temperature = student_loss_weight, temperature

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        if not distillation_losses:
            raise ValueError("without methods there is nothing to balance")
        weight = self.compute_weight(batch)
        return (1 - weight) * student_loss + weight * tf.add_n(list(distillation_losses))

    def compute_weight(self, batch: DistillationBatch) -> tf.Tensor:
        """c: float32 [B], 0 where the teacher says nothing."""
        there = batch.labels["teacher_ids"] > 0
        logits = tf.cast(batch.labels["teacher_logits"], tf.float32) / self.temperature
        log_share = tf.nn.log_softmax(tf.where(there, logits, MASKED_LOGIT), axis=1)
        entropy = -tf.reduce_sum(tf.where(there, tf.exp(log_share) * log_share, 0.0), axis=1)
        count = tf.reduce_sum(tf.cast(there, tf.float32), axis=1)
        spread = tf.math.divide_no_nan(entropy, tf.math.log(tf.maximum(count, 1.0)))
        sure = tf.clip_by_value(1 - spread, 0.0, 1.0)
        return (1 - self.student_loss_weight) * tf.where(count > 0, sure, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "student_loss_weight": self.student_loss_weight,
            "temperature": self.temperature,
        }

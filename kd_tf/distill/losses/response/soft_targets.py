"""Soft targets: the teacher's softened distribution over its best books."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class SoftTargets(DistillationLoss):
    """T^2 * KL(teacher || student), both softened by the temperature T.

    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015). The teacher's
    distribution is that of its cached top K (the rest counts as 0), the student's is over the
    whole catalogue, so that it also learns what the teacher does not recommend. T^2 keeps the
    gradient's size the same at every temperature.

    Args:
        temperature: T, above 0; higher makes the teacher's second choices count more.
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        labels = batch.labels
        ids = labels["teacher_ids"]
        there = tf.cast(ids > 0, tf.float32)
        teacher = labels["teacher_logits"] / self.temperature + (1 - there) * MASKED_LOGIT
        log_teacher = tf.nn.log_softmax(teacher, axis=1)
        log_partition = batch.masked_logits.log_partition
        if self.temperature != 1:
            log_partition = tf.reduce_logsumexp(batch.student_logits / self.temperature, axis=1)
        student = tf.gather(batch.student_logits, ids, batch_dims=1) / self.temperature
        log_student = student - log_partition[:, tf.newaxis]
        divergence = tf.reduce_sum(
            there * tf.exp(log_teacher) * (log_teacher - log_student), axis=1
        )
        return self.temperature**2 * divergence

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}

"""Soft targets: the teacher's softened distribution over its top K items."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class SoftTargets(DistillationLoss):
    """Matches the teacher's distribution: T^2 * KL(teacher || student) at temperature T.

    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015). The teacher's
    distribution is that of its cached top K (all other items count as 0), the student's is over
    the whole catalog, so that it also learns what the teacher does not recommend. The factor T^2
    keeps the size of the gradient the same at every temperature.

    Args:
        temperature: T, above 0; a higher one makes the teacher's lower-ranked items count more.

    Example:
        >>> labels = {"teacher_ids": [[1, 2]], "teacher_logits": [[2.0, 0.0]]}
        >>> batch = DistillationBatch.from_logits([[0.0, 2.0, 0.0]], labels)
        >>> abs(round(float(SoftTargets(temperature=2.0).compute_loss(batch)[0]), 4))
        0.0
        >>> batch = DistillationBatch.from_logits([[0.0, 0.0, 2.0]], labels)
        >>> round(float(SoftTargets(temperature=2.0).compute_loss(batch)[0]), 4)
        1.8485
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        ids = batch.labels["teacher_ids"]
        mask = tf.cast(ids > 0, tf.float32)
        teacher = batch.labels["teacher_logits"] / self.temperature + (1 - mask) * MASKED_LOGIT
        log_teacher = tf.nn.log_softmax(teacher, axis=1)
        log_partition = batch.masked_logits.log_partition
        if self.temperature != 1:
            log_partition = tf.reduce_logsumexp(batch.student_logits / self.temperature, axis=1)
        student = tf.gather(batch.student_logits, ids, batch_dims=1) / self.temperature
        log_student = student - log_partition[:, tf.newaxis]
        divergence = tf.reduce_sum(mask * tf.exp(log_teacher) * (log_teacher - log_student), axis=1)
        return self.temperature**2 * divergence

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}

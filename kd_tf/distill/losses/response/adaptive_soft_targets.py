"""Soft targets at a temperature of each reader's own."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.losses.softmax import MASKED_LOGIT

MIN_STD = 0.1
"""Deviation below which the student's logits are not blown up further: a student that has yet to
learn tells no books apart, and its gradient would drown the batch."""


@keras.saving.register_keras_serializable(package="kd_tf")
class AdaptiveSoftTargets(DistillationLoss):
    """T^2 * KL(teacher || student) of standardised logits.

    For each reader the teacher's logits t and the student's s become ``(t - mean_t) / (T * dev_t)``
    and ``(s - mean_s) / (T * dev_s)``, mean and standard deviation of each over the books that
    are cached as the teacher's best: the reader's temperature is T times the spread of the
    logits. A teacher that is sure of one reader and vague about another says as much of both, and
    how high and how far apart logits are need not be copied: a constant added to the teacher's
    logits, or a positive factor, changes nothing, nor do they in the student's (down to a
    deviation of `SMALLEST`). The teacher's distribution is that of its best K, the student's over
    the whole catalogue, as in `SoftTargets`.

    Sun, Ren, Li, Wang & Cao, "Logit Standardization in Knowledge Distillation" (CVPR 2024). There
    mean and deviation are over all classes; of the teacher no more than the best is cached.

    Args:
        temperature: T, above 0.
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        there = tf.cast(best.mask, tf.float32)
        mean, deviation = _compute_mean_and_std(best.teacher_logits, there)
        # Books that tie, or one alone, have no deviation: they are equally good.
        teacher = tf.math.divide_no_nan(best.teacher_logits - mean, self.temperature * deviation)
        log_teacher = tf.nn.log_softmax(tf.where(best.mask, teacher, MASKED_LOGIT))

        mean, deviation = _compute_mean_and_std(best.student_logits, there, MIN_STD)
        temperature = self.temperature * deviation
        every = tf.reduce_logsumexp(
            (batch.student_logits - mean) / temperature, axis=1, keepdims=True
        )
        log_student = (best.student_logits - mean) / temperature - every

        divergence = tf.reduce_sum(
            there * tf.exp(log_teacher) * (log_teacher - log_student), axis=1
        )
        return self.temperature**2 * divergence

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


def _compute_mean_and_std(
    logits: tf.Tensor, mask: tf.Tensor, min_std: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and deviation, `smallest` or more, of what is there in each row: float32 [B, 1]."""
    count = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(mask * logits, axis=1, keepdims=True) / count
    square = tf.reduce_sum(mask * tf.square(logits - mean), axis=1, keepdims=True) / count
    return mean, tf.sqrt(tf.maximum(square, min_std**2))

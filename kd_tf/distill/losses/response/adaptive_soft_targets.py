"""Adaptive soft targets: a temperature per user, by standardizing the logits."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.losses.softmax import MASKED_LOGIT

MIN_STD = 0.1
"""The student's logits are divided by at least this standard deviation: an untrained student gives
all items nearly the same logit, and its gradient would dominate the batch."""


@keras.saving.register_keras_serializable(package="kd_tf")
class AdaptiveSoftTargets(DistillationLoss):
    """Matches the teacher's distribution after standardizing the logits of both.

    ``T^2 * KL(teacher || student)``, where the teacher's logits t become ``(t - mean_t) / (T *
    std_t)`` and the student's logits s ``(s - mean_s) / (T * std_s)``. Mean and standard deviation
    are those of each user over the teacher's cached top K: the user's temperature is T times the
    spread of the logits. So a teacher that is confident about one user and uncertain about another
    counts the same for both, and the student need not copy the level and the scale of the logits:
    adding a constant to the teacher's logits, or multiplying them by a positive factor, changes
    nothing; nor does it in the student's (down to a standard deviation of `MIN_STD`). The
    teacher's distribution is that of its top K, the student's is over the whole catalog, as in
    `SoftTargets`.

    Sun, Ren, Li, Wang & Cao, "Logit Standardization in Knowledge Distillation" (CVPR 2024). There
    mean and standard deviation are over all classes; here only the teacher's top K are cached.

    Args:
        temperature: T, above 0.

    Example:
        >>> labels = {"teacher_ids": [[1, 2]], "teacher_logits": [[9.0, 1.0]]}
        >>> batch = DistillationBatch.from_logits([[0.0, 3.0, 2.0]], labels)
        >>> abs(round(float(AdaptiveSoftTargets().compute_loss(batch)[0]), 4))
        0.0
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        mask = tf.cast(top_k.mask, tf.float32)
        mean, std = _compute_mean_and_std(top_k.teacher_logits, mask)
        # Tied items, or a single item, have no deviation: they become equally good.
        teacher = tf.math.divide_no_nan(top_k.teacher_logits - mean, self.temperature * std)
        log_teacher = tf.nn.log_softmax(tf.where(top_k.mask, teacher, MASKED_LOGIT))

        mean, std = _compute_mean_and_std(top_k.student_logits, mask, MIN_STD)
        temperature = self.temperature * std
        log_partition = tf.reduce_logsumexp(
            (batch.student_logits - mean) / temperature, axis=1, keepdims=True
        )
        log_student = (top_k.student_logits - mean) / temperature - log_partition

        divergence = tf.reduce_sum(mask * tf.exp(log_teacher) * (log_teacher - log_student), axis=1)
        return self.temperature**2 * divergence

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


def _compute_mean_and_std(
    logits: tf.Tensor, mask: tf.Tensor, min_std: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the masked mean and standard deviation (at least `min_std`) of rows: [B, 1]."""
    count = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(mask * logits, axis=1, keepdims=True) / count
    variance = tf.reduce_sum(mask * tf.square(logits - mean), axis=1, keepdims=True) / count
    return mean, tf.sqrt(tf.maximum(variance, min_std**2))

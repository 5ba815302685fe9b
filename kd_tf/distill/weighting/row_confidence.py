"""Weights each row by the teacher's confidence."""

from __future__ import annotations

import math

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.weighting.confidence import TeacherConfidence


@keras.saving.register_keras_serializable(package="kd_tf")
class RowTeacherConfidence(TeacherConfidence):
    """Weights the distillation losses of each row by the teacher's confidence.

    As `TeacherConfidence`, with the entropy of the teacher's softened probability, the mean of
    several teachers' logits: the weight is 0 where it is one half, and ``1 - student_loss_weight``
    where it is 0 or 1.

    Args:
        **kwargs: As for `TeacherConfidence`.

    Example:
        >>> labels = {"teacher_logits": [[0.0], [20.0]]}
        >>> batch = DistillationBatch.from_row_logits([0.0, 0.0], labels)
        >>> weights = RowTeacherConfidence(student_loss_weight=0.2).compute_weight(batch)
        >>> weights.numpy().round(3).tolist()
        [0.0, 0.800000011920929]
    """

    def compute_weight(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes c of each row: float32 [B]."""
        logits = tf.cast(batch.labels["teacher_logits"], tf.float32)
        logit = tf.reduce_mean(logits, axis=1) / self.temperature
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(logit), logit)
        confidence = tf.clip_by_value(1 - entropy / math.log(2), 0.0, 1.0)
        return (1 - self.student_loss_weight) * confidence

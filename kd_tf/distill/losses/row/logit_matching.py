"""Logit matching: regression on the teacher's logit."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.row.base import RowDistillationLoss


@keras.saving.register_keras_serializable(package="kd_tf")
class RowLogitMatching(RowDistillationLoss):
    """Squared difference of the student's and the teacher's logit.

    Ba & Caruana, "Do Deep Nets Really Need to be Deep?" (NIPS 2014).

    Args:
        **kwargs: As for `RowDistillationLoss`.

    Example:
        >>> batch = DistillationBatch.from_row_logits([0.5], {"teacher_logits": [[2.0]]})
        >>> RowLogitMatching().compute_loss(batch).numpy().tolist()
        [2.25]
    """

    default_weight = 0.2

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        return tf.square(batch.student_logits - self.combine_teachers(batch))

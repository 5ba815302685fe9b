"""Output distillation: the teacher's probability as the label."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.row.base import RowDistillationLoss


@keras.saving.register_keras_serializable(package="kd_tf")
class TeacherCrossEntropy(RowDistillationLoss):
    """Cross-entropy of the student's prediction with the teacher's probability as its label.

    Zhu et al., "Ensembled CTR Prediction via Knowledge Distillation" (CIKM 2020), call it soft
    label distillation.

    Args:
        **kwargs: As for `RowDistillationLoss`.

    Example:
        >>> batch = DistillationBatch.from_row_logits([0.0], {"teacher_logits": [[1.0]]})
        >>> round(float(TeacherCrossEntropy().compute_loss(batch)[0]), 4)
        0.6931
    """

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        return tf.nn.sigmoid_cross_entropy_with_logits(
            tf.sigmoid(self.combine_teachers(batch)), batch.student_logits
        )

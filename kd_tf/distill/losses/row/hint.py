"""Hints (FitNets): the teacher's last hidden vector, through a trained projector."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.models.ranking.base import RankingModel

TEACHER_REPRESENTATIONS = "teacher_representations"
"""The label with the last hidden vectors of the first teacher."""


@keras.saving.register_keras_serializable(package="kd_tf")
class RowHint(DistillationLoss):
    """Matches the teacher's last hidden vector with a linear projection of the student's.

    ``mean over the d' dimensions of (W s + b - t)^2`` with the student's vector s and the
    teacher's t. Romero, Ballas, Kahou, Chassang, Gatta & Bengio, "FitNets: Hints for Thin Deep
    Nets" (ICLR 2015), both at once as one loss.

    Example:
        >>> RowHint().teacher_outputs
        ('teacher_representations',)
    """

    student_classes = (RankingModel,)
    teacher_outputs = (TEACHER_REPRESENTATIONS,)
    default_weight = 0.1

    def build(self, setup: DistillationSetup) -> None:
        teacher_dim, student_dim = (
            _get_representation_dim(model) for model in (setup.teacher, setup.student)
        )
        initializer = keras.initializers.GlorotUniform(setup.seed)
        self.projector = keras.layers.Dense(teacher_dim, kernel_initializer=initializer)
        self.projector.build([None, student_dim])

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        student: Any = batch.student
        vectors = student.representation(batch.inputs, training=batch.training)
        teacher = tf.cast(batch.labels[TEACHER_REPRESENTATIONS], tf.float32)
        return tf.reduce_mean(tf.square(self.projector(vectors) - teacher), axis=1)


def _get_representation_dim(model: RankingModel) -> int:
    """Returns the length of a model's last hidden vector.

    Raises:
        ValueError: It has none.
    """
    try:
        return int(model.representation(model.make_empty_inputs()).shape[1])
    except ValueError as error:
        raise ValueError(f"hint needs a hidden layer: {error}") from error

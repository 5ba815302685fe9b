"""Hints (FitNets): the teacher's user embedding, through a trained projector."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.layer_outputs import capture_layer_outputs
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import (
    compute_student_user_embeddings,
    get_teacher_user_embeddings,
    get_user_embedding_dim,
)
from kd_tf.models.base import HistoryModel


@keras.saving.register_keras_serializable(package="kd_tf")
class Hint(DistillationLoss):
    """Matches the teacher's user embeddings with a linear projection of the student's.

    ``mean over the d' dimensions of (W s + b - t)^2`` with the student's vector s and the
    teacher's t. Romero, Ballas, Kahou, Chassang, Gatta & Bengio, "FitNets: Hints for Thin Deep
    Nets" (ICLR 2015). There the hint is trained first and the task afterwards; here both at once,
    as one loss.

    Args:
        layer: Name of the student's layer whose output [B, d] is s; by default s is the user
            embedding.

    Example:
        >>> Hint("hidden").student_layers, Hint().student_layers
        (('hidden',), ())
    """

    teacher_outputs = ("teacher_user_embeddings",)
    default_weight = 0.1

    def __init__(self, layer: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer
        self.student_layers = () if layer is None else (layer,)

    def build(self, setup: DistillationSetup) -> None:
        teacher_dim = get_user_embedding_dim(setup.teacher, "Hint")
        student_dim = (
            get_user_embedding_dim(setup.student, "Hint")
            if self.layer is None
            else _infer_layer_dim(setup.student, self.layer)
        )
        initializer = keras.initializers.GlorotUniform(setup.seed)
        self.projector = keras.layers.Dense(
            teacher_dim, kernel_initializer=initializer, dtype="float32"
        )
        self.projector.build([None, student_dim])

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        student = (
            compute_student_user_embeddings(batch)
            if self.layer is None
            else batch.layer_outputs[self.layer]
        )
        error = self.projector(student) - get_teacher_user_embeddings(batch)
        return tf.reduce_mean(tf.square(error), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": self.layer}


def _infer_layer_dim(student: HistoryModel, layer: str) -> int:
    """Calls the student once to find the dimension of a layer's output.

    Raises:
        ValueError: The student does not call the layer, or its output is not [B, d].
    """
    with capture_layer_outputs(student, [layer]) as layer_outputs:
        student(tf.zeros([1, student.max_length], tf.int32))
    if layer not in layer_outputs:
        raise ValueError(f"{student.name} does not call its layer {layer!r}")
    shape = layer_outputs[layer].shape
    if shape.rank != 2:
        raise ValueError(f"Hint needs one vector per user: layer {layer!r} outputs {shape[1:]}")
    return int(shape[1])

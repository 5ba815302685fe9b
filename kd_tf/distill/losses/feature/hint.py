"""Hints: the teacher's vector of a reader, through a learnt projector."""

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
    """The teacher's vectors of readers, met by the student's through a linear projector.

    ``mean over the d' dimensions of (W s + b - t)^2`` with the student's vector s and the
    teacher's t. Romero, Ballas, Kahou, Chassang, Gatta & Bengio, "FitNets: Hints for Thin Deep
    Nets" (ICLR 2015). There the hint is learnt first and the task afterwards; here both at once,
    as one loss.

    Args:
        layer: Name of the layer of the student whose output [B, d] is s; the vector of the
            reader by default.
    """

    teacher_outputs = ("teacher_reader",)
    default_weight = 0.1

    def __init__(self, layer: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer
        self.student_layers = () if layer is None else (layer,)

    def build(self, setup: DistillationSetup) -> None:
        width = get_user_embedding_dim(setup.teacher, "Hint")
        own = (
            get_user_embedding_dim(setup.student, "Hint")
            if self.layer is None
            else _infer_layer_dim(setup.student, self.layer)
        )
        self.projector = keras.layers.Dense(
            width, kernel_initializer=keras.initializers.GlorotUniform(setup.seed), dtype="float32"
        )
        self.projector.build([None, own])

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        own = (
            compute_student_user_embeddings(batch)
            if self.layer is None
            else batch.layer_outputs[self.layer]
        )
        return tf.reduce_mean(
            tf.square(self.projector(own) - get_teacher_user_embeddings(batch)), axis=1
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": self.layer}


def _infer_layer_dim(student: HistoryModel, layer: str) -> int:
    with capture_layer_outputs(student, [layer]) as hidden:
        student(tf.zeros([1, student.max_length], tf.int32))
    if layer not in hidden:
        raise ValueError(f"{student.name} does not call its layer {layer!r}")
    shape = hidden[layer].shape
    if shape.rank != 2:
        raise ValueError(f"Hint needs one vector a reader: layer {layer!r} gives {shape[1:]}")
    return int(shape[1])

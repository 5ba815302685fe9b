"""Hierarchical hints: several layers of the student match the teacher's user embedding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.feature.hint import Hint


@keras.saving.register_keras_serializable(package="kd_tf")
class HierarchicalHints(DistillationLoss):
    """Matches the teacher's user embeddings with several layers of the student.

    ``sum over k of w_k * hint_k`` with `Hint`'s loss of the k-th layer, which has its own
    projector, and ``w_k = decay^k / sum over j of decay^j`` for k = 0, 1, ...: with a decay below
    1 the first layer of the list counts most.

    Romero, Ballas, Kahou, Chassang, Gatta & Bengio, "FitNets: Hints for Thin Deep Nets" (ICLR
    2015) give one hint in the middle; that every layer should have its own objective is from
    Lee, Xie, Gallagher, Zhang & Tu, "Deeply-Supervised Nets" (AISTATS 2015), and that the target
    of all can be the deepest vector from Zhang et al., "Be Your Own Teacher: Improve the
    Performance of Convolutional Neural Networks via Self Distillation" (ICCV 2019).

    Args:
        layers: Names of the student's layers, outermost first, separated by commas. Each must
            output one vector per user.
        decay: Ratio of the weight of a layer to that of the layer before, above 0; above 1 the
            inner layers count more.

    Example:
        >>> HierarchicalHints("correction, hidden", decay=0.5).student_layers
        ('correction', 'hidden')
    """

    teacher_outputs = ("teacher_user_embeddings",)
    default_weight = 0.1

    def __init__(
        self, layers: str = "correction,hidden", decay: float = 0.5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        names = [name.strip() for name in layers.split(",")]
        if not all(names) or len(set(names)) < len(names):
            raise ValueError(f"layers must be different names, separated by commas, not {layers!r}")
        if not 0 < decay < float("inf"):
            raise ValueError(f"decay must be above 0, not {decay}")
        self.layers, self.decay = layers, decay
        self.student_layers = tuple(names)
        self.hints = [Hint(name) for name in names]

    def build(self, setup: DistillationSetup) -> None:
        for number, hint in enumerate(self.hints):
            hint.build(replace(setup, seed=setup.seed + number))

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        weights = [self.decay**number for number in range(len(self.hints))]
        losses = [
            weight * hint.compute_loss(batch)
            for weight, hint in zip(weights, self.hints, strict=True)
        ]
        return tf.add_n(losses) / sum(weights)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layers": self.layers, "decay": self.decay}

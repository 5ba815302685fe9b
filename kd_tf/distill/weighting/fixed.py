"""Combines the losses with constant weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.weighting.base import LossWeighting


@keras.saving.register_keras_serializable(package="kd_tf")
class ConstantWeights(LossWeighting):
    """Combines the losses with weights that stay constant during training.

    ``loss = w * student_loss + (1 - w) * sum(weight_m * distillation_loss_m)``, where w is
    `student_loss_weight`. With w = 1 the student is trained exactly as without a teacher, as the
    reference for distilled students. The mixture is that of Hinton, Vinyals & Dean, "Distilling
    the Knowledge in a Neural Network" (2015).

    Args:
        student_loss_weight: Weight of the student loss, 0 to 1.
        distillation_loss_weights: A weight per method, 0 or more; 1 each by default.

    Example:
        >>> weighting = ConstantWeights(0.25, distillation_loss_weights=[0.5])
        >>> weighting.combine(tf.constant([1.0]), [tf.constant([4.0])], batch=None).numpy()
        array([1.75], dtype=float32)
    """

    def __init__(
        self,
        student_loss_weight: float = 1.0,
        distillation_loss_weights: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= student_loss_weight <= 1:
            raise ValueError(f"student_loss_weight must be in [0, 1], not {student_loss_weight}")
        if distillation_loss_weights is not None:
            distillation_loss_weights = tuple(distillation_loss_weights)
            if not all(weight >= 0 for weight in distillation_loss_weights):
                raise ValueError(
                    "distillation_loss_weights must be 0 or more, not "
                    f"{list(distillation_loss_weights)}"
                )
        self.student_loss_weight = student_loss_weight
        self.distillation_loss_weights = distillation_loss_weights

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        """Computes the combined loss of each example, see `LossWeighting.combine`."""
        weights = self.distillation_loss_weights or (1.0,) * len(distillation_losses)
        if len(weights) != len(distillation_losses):
            raise ValueError(
                f"{len(distillation_losses)} distillation losses need as many weights, not "
                f"{len(weights)}"
            )
        if self.student_loss_weight < 1 and not distillation_losses:
            raise ValueError(
                f"student_loss_weight is {self.student_loss_weight}, but there is no distillation "
                "loss for the remaining weight"
            )
        weighted_losses = [
            weight * loss for weight, loss in zip(weights, distillation_losses, strict=True)
        ]
        return self.student_loss_weight * student_loss + (1 - self.student_loss_weight) * tf.add_n(
            weighted_losses or [tf.zeros_like(student_loss)]
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "student_loss_weight": self.student_loss_weight,
            "distillation_loss_weights": self.distillation_loss_weights,
        }

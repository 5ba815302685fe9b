"""The same weights from the first step to the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.weighting.base import LossWeighting


@keras.saving.register_keras_serializable(package="kd_tf")
class ConstantWeights(LossWeighting):
    """``alpha * hard + (1 - alpha) * sum of weight_m * soft_m``.

    With alpha 1 a student learns exactly as it would alone, which is what a distilled one is
    compared with. The mix of hard and soft is that of Hinton, Vinyals & Dean (2015).

    Args:
        alpha: Weight of the hard loss, 0 to 1.
        weights: One a method, 0 or more; 1 each by default.
    """

    def __init__(
        self,
        student_loss_weight: float = 1.0,
        distillation_loss_weights: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= student_loss_weight <= 1:
            raise ValueError(f"alpha must be in [0, 1], not {student_loss_weight}")
        if distillation_loss_weights is not None and not all(
            weight >= 0 for weight in distillation_loss_weights
        ):
            raise ValueError(
                f"weights of methods must be 0 or more, not {list(distillation_loss_weights)}"
            )
        self.student_loss_weight, self.distillation_loss_weights = (
            student_loss_weight,
            None if distillation_loss_weights is None else tuple(distillation_loss_weights),
        )

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        weights = self.distillation_loss_weights or (1.0,) * len(distillation_losses)
        if len(weights) != len(distillation_losses):
            raise ValueError(
                f"{len(distillation_losses)} methods need as many weights, not {len(weights)}"
            )
        if self.student_loss_weight < 1 and not distillation_losses:
            raise ValueError(
                f"alpha is {self.student_loss_weight}, but no method is there to have the rest"
            )
        known = [weight * loss for weight, loss in zip(weights, distillation_losses, strict=True)]
        return self.student_loss_weight * student_loss + (1 - self.student_loss_weight) * tf.add_n(
            known or [tf.zeros_like(student_loss)]
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "student_loss_weight": self.student_loss_weight,
            "distillation_loss_weights": self.distillation_loss_weights,
        }

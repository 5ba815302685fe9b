"""Weights that give all losses gradients of equal norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.weighting.base import LossWeighting


@keras.saving.register_keras_serializable(package="kd_tf")
class GradientNorm(LossWeighting):
    """Scales each distillation loss so that its gradient is as large as the student loss's.

    ``loss = w * student_loss + (1 - w) * mean over m of (g_student / g_m * distillation_loss_m)``,
    where w is `student_loss_weight` and g is the norm of a loss's gradient with respect to the
    student's logits over the batch. A method that does not depend on the logits has the weight 1.

    The idea is that of Chen et al., "GradNorm: Gradient Normalization for Adaptive Loss Balancing"
    (ICML 2018). Here the weights are computed in each step and not trained.

    Args:
        student_loss_weight: Weight of the student loss, 0 to 1.

    Example:
        >>> GradientNorm(student_loss_weight=0.3).student_loss_weight
        0.3
    """

    def __init__(self, student_loss_weight: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= student_loss_weight <= 1:
            raise ValueError(f"student_loss_weight must be in [0, 1], not {student_loss_weight}")
        self.student_loss_weight = student_loss_weight

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        """Computes the combined loss of each example, see `LossWeighting.combine`."""
        if not distillation_losses:
            raise ValueError("there are no distillation losses to weight")
        logits = batch.logits
        student_norm = _compute_gradient_norm(student_loss, logits)
        if student_norm is None:
            raise ValueError("the student loss does not depend on the student's logits")
        weighted_losses = []
        for loss in distillation_losses:
            norm = _compute_gradient_norm(loss, logits)
            weight = tf.ones([]) if norm is None else tf.math.divide_no_nan(student_norm, norm)
            weighted_losses.append(tf.stop_gradient(weight) * loss)
        return self.student_loss_weight * student_loss + (1 - self.student_loss_weight) * tf.add_n(
            weighted_losses
        ) / len(distillation_losses)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "student_loss_weight": self.student_loss_weight}


def _compute_gradient_norm(loss: tf.Tensor, logits: tf.Tensor) -> tf.Tensor | None:
    """Returns the norm of the mean loss's gradient, None if it does not depend on the logits."""
    (gradient,) = tf.gradients(tf.reduce_mean(loss), [logits])
    return None if gradient is None else tf.norm(gradient)

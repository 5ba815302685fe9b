"""Weights that make every loss pull equally hard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.weighting.base import LossWeighting


@keras.saving.register_keras_serializable(package="kd_tf")
class GradientNorm(LossWeighting):
    """``alpha * hard + (1 - alpha) * mean over methods of g_hard / g_m * soft_m``.

    g is the length of a loss's gradient by the student's logits, over the batch: what comes out
    of all losses alike before it enters the student. The idea of Chen et al., "GradNorm: Gradient
    Normalization for Adaptive Loss Balancing" (ICML 2018), with the weights set in each step and
    not learnt. A method that does not look at the logits keeps the weight 1.

    Args:
        alpha: Weight of the hard loss, 0 to 1.
    """

    def __init__(self, student_loss_weight: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= student_loss_weight <= 1:
            raise ValueError(f"alpha must be in [0, 1], not {student_loss_weight}")
        self.student_loss_weight = student_loss_weight

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        if not distillation_losses:
            raise ValueError("without methods there is nothing to balance")
        logits = batch.masked_logits.logits
        wanted = _compute_gradient_norm(student_loss, logits)
        if wanted is None:
            raise ValueError("the hard loss does not depend on the student's logits")
        found = []
        for loss in distillation_losses:
            own = _compute_gradient_norm(loss, logits)
            weight = tf.ones([]) if own is None else tf.math.divide_no_nan(wanted, own)
            found.append(tf.stop_gradient(weight) * loss)
        return self.student_loss_weight * student_loss + (1 - self.student_loss_weight) * tf.add_n(
            found
        ) / len(distillation_losses)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "student_loss_weight": self.student_loss_weight}


def _compute_gradient_norm(loss: tf.Tensor, logits: tf.Tensor) -> tf.Tensor | None:
    (gradient,) = tf.gradients(tf.reduce_mean(loss), [logits])
    return None if gradient is None else tf.norm(gradient)

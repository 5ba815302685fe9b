"""Weights that make every loss pull equally hard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.distill.balance.base import Balance
from kd_tf.distill.knowledge.base import Step
from kd_tf.keras import keras, tf


@keras.saving.register_keras_serializable(package="kd_tf")
class GradientNorm(Balance):
    """``alpha * hard + (1 - alpha) * mean over methods of g_hard / g_m * soft_m``.

    g is the length of a loss's gradient by the student's logits, over the batch: what comes out
    of all losses alike before it enters the student. The idea of Chen et al., "GradNorm: Gradient
    Normalization for Adaptive Loss Balancing" (ICML 2018), with the weights set in each step and
    not learnt. A method that does not look at the logits keeps the weight 1.

    Args:
        alpha: Weight of the hard loss, 0 to 1.
    """

    def __init__(self, alpha: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], not {alpha}")
        self.alpha = alpha

    def combine(self, hard: tf.Tensor, soft: Sequence[tf.Tensor], step: Step) -> tf.Tensor:
        if not soft:
            raise ValueError("without methods there is nothing to balance")
        logits = step.scored.logits
        wanted = _length(hard, logits)
        if wanted is None:
            raise ValueError("the hard loss does not depend on the student's logits")
        found = []
        for loss in soft:
            own = _length(loss, logits)
            weight = tf.ones([]) if own is None else tf.math.divide_no_nan(wanted, own)
            found.append(tf.stop_gradient(weight) * loss)
        return self.alpha * hard + (1 - self.alpha) * tf.add_n(found) / len(soft)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


def _length(loss: tf.Tensor, logits: tf.Tensor) -> tf.Tensor | None:
    (gradient,) = tf.gradients(tf.reduce_mean(loss), [logits])
    return None if gradient is None else tf.norm(gradient)

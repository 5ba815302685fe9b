"""Learns the weights of the losses from their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup
from kd_tf.distill.weighting.base import LossWeighting


@keras.saving.register_keras_serializable(package="kd_tf")
class Uncertainty(LossWeighting):
    """Learns a weight for each loss, including the student loss.

    ``loss = sum over all losses of exp(-s) * loss + s`` with a trainable s per loss. The optimal
    s is the logarithm of the loss's mean, so all losses contribute equally at any scale.

    Source: Kendall, Gal & Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for
    Scene Geometry and Semantics" (CVPR 2018), without the factor 1/2 of squared errors.
    """

    def build(self, setup: DistillationSetup) -> None:
        """Creates one trainable s per loss."""
        self.log_scales = self.add_weight(
            name="log_scales", shape=(1 + setup.num_losses,), initializer="zeros"
        )

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        """Computes the combined loss of each example, see `LossWeighting.combine`."""
        losses = tf.stack([student_loss, *distillation_losses], axis=1)
        return tf.reduce_sum(tf.exp(-self.log_scales) * losses + self.log_scales, axis=1)

"""Weights that are learnt: what is uncertain counts less."""

from __future__ import annotations

from collections.abc import Sequence

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup
from kd_tf.distill.weighting.base import LossWeighting


@keras.saving.register_keras_serializable(package="kd_tf")
class Uncertainty(LossWeighting):
    """``sum over the losses of exp(-s) * loss + s``, with one learnt s a loss, the hard one too.

    At its best s is the logarithm of a loss's mean, so that all count alike however large they
    are. Kendall, Gal & Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
    Geometry and Semantics" (CVPR 2018), without the 1/2 of squared errors.
    """

    def build(self, setup: DistillationSetup) -> None:
        self.log_scales = self.add_weight(
            name="log_scales", shape=(1 + setup.num_losses,), initializer="zeros"
        )

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        losses = tf.stack([student_loss, *distillation_losses], axis=1)
        return tf.reduce_sum(tf.exp(-self.log_scales) * losses + self.log_scales, axis=1)

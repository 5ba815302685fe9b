"""Trains on the easiest examples first (curriculum learning)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup
from kd_tf.distill.weighting.base import LossWeighting
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class Curriculum(LossWeighting):
    """Uses only the easiest examples of each batch, and more of them as training proceeds.

    An example is easy if the teacher ranks the user's true items high. Its difficulty is the mean
    negative teacher logit of the targets; targets outside the teacher's top K get the smallest
    top-K logit. The fraction of each batch that is used grows linearly from `initial_fraction`
    to 1 at `ramp_end`. The loss is divided by the fraction used, so that the gradient has the same
    scale as that of a whole batch.

    Source: Bengio et al., "Curriculum Learning" (ICML 2009).

    Args:
        weighting: Combines the losses of each example; `ConstantWeights` with a
            `student_loss_weight` of 0.3 by default.
        initial_fraction: Fraction of each batch that is used at the start, above 0, at most 1.
        ramp_end: Fraction of the training steps after which all examples are used, 0 to 1.

    Example:
        >>> curriculum = Curriculum(ConstantWeights(0.5), initial_fraction=0.2, ramp_end=0.5)
        >>> curriculum.initial_fraction, curriculum.ramp_end
        (0.2, 0.5)
    """

    def __init__(
        self,
        weighting: LossWeighting | None = None,
        initial_fraction: float = 0.3,
        ramp_end: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < initial_fraction <= 1 or not 0 <= ramp_end <= 1:
            raise ValueError(
                "initial_fraction must be in (0, 1] and ramp_end in [0, 1], not "
                f"{initial_fraction} and {ramp_end}"
            )
        self.weighting = weighting or ConstantWeights(0.3)
        self.initial_fraction, self.ramp_end = initial_fraction, ramp_end

    def build(self, setup: DistillationSetup) -> None:
        """Builds the inner weighting."""
        self.weighting.build(setup)

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        """Computes the combined loss of each example, see `LossWeighting.combine`."""
        mask = self.compute_example_mask(batch)
        fraction = tf.reduce_mean(mask)
        loss = self.weighting.combine(student_loss, distillation_losses, batch)
        return loss * mask / tf.maximum(fraction, 1e-6)

    def compute_example_mask(self, batch: DistillationBatch) -> tf.Tensor:
        """Selects the examples to use now: float32 [B], 1 for used and 0 for unused examples."""
        ids = batch.labels["teacher_ids"]
        logits = tf.cast(batch.labels["teacher_logits"], tf.float32)
        targets = batch.labels["targets"]
        min_logit = tf.reduce_min(tf.where(ids > 0, logits, logits.dtype.max), axis=1)
        # Examples without teacher output count as hardest.
        min_logit = tf.where(tf.reduce_any(ids > 0, axis=1), min_logit, MASKED_LOGIT)
        is_match = (targets[:, :, tf.newaxis] == ids[:, tf.newaxis]) & (ids > 0)[:, tf.newaxis]
        target_logits = tf.reduce_sum(tf.where(is_match, logits[:, tf.newaxis], 0.0), axis=2)
        target_logits = tf.where(
            tf.reduce_any(is_match, axis=2), target_logits, min_logit[:, tf.newaxis]
        )
        is_target = tf.cast(targets > 0, tf.float32)
        count = tf.reduce_sum(is_target, axis=1)
        mean_logit = tf.math.divide_no_nan(tf.reduce_sum(target_logits * is_target, axis=1), count)
        # Examples without targets are as hard as if the teacher had missed all targets.
        mean_logit = tf.where(count > 0, mean_logit, min_logit)
        # Rank within the batch: the teacher's logits have no absolute scale of difficulty.
        rank = tf.argsort(tf.argsort(-mean_logit, stable=True), stable=True)
        batch_size = tf.cast(tf.shape(mean_logit)[0], tf.float32)
        ramp = batch.progress / self.ramp_end if self.ramp_end else tf.ones([])
        fraction = self.initial_fraction + (1 - self.initial_fraction) * tf.minimum(ramp, 1.0)
        return tf.cast(tf.cast(rank, tf.float32) < tf.math.ceil(fraction * batch_size), tf.float32)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "weighting": keras.saving.serialize_keras_object(self.weighting),
            "initial_fraction": self.initial_fraction,
            "ramp_end": self.ramp_end,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Curriculum:
        """Creates a curriculum from `get_config`."""
        weighting = keras.saving.deserialize_keras_object(config["weighting"])
        return cls(**{**config, "weighting": weighting})

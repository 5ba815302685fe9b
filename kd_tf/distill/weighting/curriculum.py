"""Easy readers first."""

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
    """Of every batch only the easiest examples count, more of them from step to step.

    An example is easy where the teacher finds what the reader chose: its difficulty is the
    teacher's mean negative logit of the targets, those beyond its K best taken as its smallest.
    The share that counts grows evenly from `start` to 1 at `end` of the training. Bengio et al.,
    "Curriculum Learning" (ICML 2009). The examples that count are weighed up, so that a batch
    pulls as hard as a whole one.

    Args:
        balance: How the losses of an example are weighed.
        start: The share of a batch that counts at first, above 0.
        end: When all count, 0 to 1.
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
                f"start must be in (0, 1] and end in [0, 1], not {initial_fraction} and {ramp_end}"
            )
        self.weighting = weighting or ConstantWeights(0.3)
        self.initial_fraction, self.ramp_end = initial_fraction, ramp_end

    def build(self, setup: DistillationSetup) -> None:
        self.weighting.build(setup)

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        counted = self.compute_example_mask(batch)
        share = tf.reduce_mean(counted)
        return (
            self.weighting.combine(student_loss, distillation_losses, batch)
            * counted
            / tf.maximum(share, 1e-6)
        )

    def compute_example_mask(self, batch: DistillationBatch) -> tf.Tensor:
        """float32 [B]: 1 for the examples that count now, 0 for the others."""
        ids = batch.labels["teacher_ids"]
        logits = tf.cast(batch.labels["teacher_logits"], tf.float32)
        targets = batch.labels["targets"]
        least = tf.reduce_min(tf.where(ids > 0, logits, logits.dtype.max), axis=1)
        # Of whom the teacher says nothing nobody knows that they are easy.
        least = tf.where(tf.reduce_any(ids > 0, axis=1), least, MASKED_LOGIT)
        found = (targets[:, :, tf.newaxis] == ids[:, tf.newaxis]) & (ids > 0)[:, tf.newaxis]
        own = tf.reduce_sum(tf.where(found, logits[:, tf.newaxis], 0.0), axis=2)
        own = tf.where(tf.reduce_any(found, axis=2), own, least[:, tf.newaxis])
        there = tf.cast(targets > 0, tf.float32)
        count = tf.reduce_sum(there, axis=1)
        mean = tf.math.divide_no_nan(tf.reduce_sum(own * there, axis=1), count)
        # Of whom no books are known neither.
        mean = tf.where(count > 0, mean, least)
        # Ranks are taken in the batch: how easy a reader is has no unit of its own.
        rank = tf.argsort(tf.argsort(-mean, stable=True), stable=True)
        size = tf.cast(tf.shape(mean)[0], tf.float32)
        grown = batch.progress / self.ramp_end if self.ramp_end else tf.ones([])
        share = self.initial_fraction + (1 - self.initial_fraction) * tf.minimum(grown, 1.0)
        return tf.cast(tf.cast(rank, tf.float32) < tf.math.ceil(share * size), tf.float32)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "weighting": keras.saving.serialize_keras_object(self.weighting),
            "initial_fraction": self.initial_fraction,
            "ramp_end": self.ramp_end,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Curriculum:
        """The curriculum that `get_config` described."""
        balance = keras.saving.deserialize_keras_object(config["weighting"])
        return cls(**{**config, "weighting": balance})

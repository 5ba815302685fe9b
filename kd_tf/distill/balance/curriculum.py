"""Easy readers first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.distill.balance.base import Balance
from kd_tf.distill.balance.fixed import Fixed
from kd_tf.distill.knowledge.base import Lesson, Step
from kd_tf.keras import keras, tf
from kd_tf.models.losses import MASKED


@keras.saving.register_keras_serializable(package="kd_tf")
class Curriculum(Balance):
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
        self, balance: Balance | None = None, start: float = 0.3, end: float = 0.5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < start <= 1 or not 0 <= end <= 1:
            raise ValueError(f"start must be in (0, 1] and end in [0, 1], not {start} and {end}")
        self.balance = balance or Fixed(0.3)
        self.start, self.end = start, end

    def prepare(self, lesson: Lesson) -> None:
        self.balance.prepare(lesson)

    def combine(self, hard: tf.Tensor, soft: Sequence[tf.Tensor], step: Step) -> tf.Tensor:
        counted = self.counted(step)
        share = tf.reduce_mean(counted)
        return self.balance.combine(hard, soft, step) * counted / tf.maximum(share, 1e-6)

    def counted(self, step: Step) -> tf.Tensor:
        """float32 [B]: 1 for the examples that count now, 0 for the others."""
        ids = step.labels["teacher_ids"]
        logits = tf.cast(step.labels["teacher_logits"], tf.float32)
        targets = step.labels["targets"]
        least = tf.reduce_min(tf.where(ids > 0, logits, logits.dtype.max), axis=1)
        # Of whom the teacher says nothing nobody knows that they are easy.
        least = tf.where(tf.reduce_any(ids > 0, axis=1), least, MASKED)
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
        grown = step.progress / self.end if self.end else tf.ones([])
        share = self.start + (1 - self.start) * tf.minimum(grown, 1.0)
        return tf.cast(tf.cast(rank, tf.float32) < tf.math.ceil(share * size), tf.float32)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "balance": keras.saving.serialize_keras_object(self.balance),
            "start": self.start,
            "end": self.end,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Curriculum:
        """The curriculum that `get_config` described."""
        balance = keras.saving.deserialize_keras_object(config["balance"])
        return cls(**{**config, "balance": balance})

"""Soft parameters: how the numbers of the teacher's vectors of books are distributed."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import get_item_embeddings


@keras.saving.register_keras_serializable(package="kd_tf")
class SoftParameter(DistillationLoss):
    """The distribution of the numbers in the teacher's vectors of books, and of their lengths.

    ``(mean_s - mean_t)^2 + (deviation_s - deviation_t)^2 + mean over levels of (quantile_s -
    quantile_t)^2``, once for all numbers of the vectors and once for the vectors' lengths, both
    divided by their root mean square: then neither the width of the vectors nor their scale
    matters, and models of any sizes can be compared. Every example has this loss; it does not
    depend on the readers.

    The parameters are not shared but resemble each other: matching distributions instead of
    values is that of Huang & Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity
    Transfer" (2017, maximum mean discrepancy of activations) and moments are compared as in
    Zellinger et al., "Central Moment Discrepancy (CMD) for Domain-Invariant Representation
    Learning" (ICLR 2017). Here quantiles stand for the higher moments, as these are at the mercy
    of outliers; their mean squared difference is the squared Wasserstein distance in one
    dimension, on a grid.

    Args:
        quantiles: At how many levels, at least 1.
        books: So many vectors of the student, drawn in every step, stand for all of them; at
            least 1. The teacher's are all taken, once.
    """

    def __init__(self, num_quantiles: int = 32, num_samples: int = 1024, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_quantiles < 1 or num_samples < 1:
            raise ValueError(
                f"quantiles and books must be at least 1, not {num_quantiles} and {num_samples}"
            )
        self.num_quantiles, self.num_samples = num_quantiles, num_samples

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings(setup.student, "SoftParameter")
        table = get_item_embeddings(setup.teacher, "SoftParameter")
        self.teacher_statistics = self._compute_statistics(table[1:])

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        table, items = batch.student.item_embeddings(), batch.student.num_items
        if items <= self.num_samples:
            rows = table[1:]
        elif batch.training:
            rows = tf.gather(table, rng.sample_uniform([self.num_samples], 1, items + 1, tf.int32))
        else:
            rows = tf.gather(table, 1 + np.arange(self.num_samples) * items // self.num_samples)
        difference = tf.square(self._compute_statistics(rows) - self.teacher_statistics)
        loss = tf.reduce_sum(difference[:, :2]) + tf.reduce_sum(
            tf.reduce_mean(difference[:, 2:], axis=1)
        )
        return tf.fill([tf.shape(batch.history)[0]], loss)

    def _compute_statistics(self, rows: tf.Tensor) -> tf.Tensor:
        """float32 [2, 2 + quantiles]: of the numbers and of the lengths of vectors [n, d]."""
        square = tf.reduce_sum(tf.square(rows), axis=1)
        long = square > 0
        # Two `where`, because the slope of a square root at 0 is infinite.
        lengths = tf.where(long, tf.sqrt(tf.where(long, square, 1.0)), 0.0)
        return tf.stack(
            [self._summarize_values(tf.reshape(rows, [-1])), self._summarize_values(lengths)]
        )

    def _summarize_values(self, values: tf.Tensor) -> tf.Tensor:
        """float32 [2 + quantiles]: mean, deviation and quantiles over the root mean square."""
        scaled = values * tf.math.rsqrt(tf.reduce_mean(tf.square(values)) + 1e-20)
        mean = tf.reduce_mean(scaled)
        deviation = tf.sqrt(tf.reduce_mean(tf.square(scaled - mean)) + 1e-12)
        return tf.concat(
            [[mean, deviation], _compute_quantiles(scaled, self.num_quantiles)], axis=0
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_quantiles": self.num_quantiles,
            "num_samples": self.num_samples,
        }


def _compute_quantiles(values: tf.Tensor, count: int) -> tf.Tensor:
    """float32 [count]: at the levels (k + 1/2) / count, between two values interpolated."""
    ordered = tf.sort(values)
    last = tf.shape(values)[0] - 1
    levels = tf.constant((np.arange(count) + 0.5) / count, tf.float32)
    place = levels * tf.cast(last, tf.float32)
    below = tf.cast(tf.floor(place), tf.int32)
    share = place - tf.floor(place)
    above = tf.minimum(below + 1, last)
    return (1 - share) * tf.gather(ordered, below) + share * tf.gather(ordered, above)

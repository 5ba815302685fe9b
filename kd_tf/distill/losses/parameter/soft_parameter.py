"""Soft parameter transfer: the distribution of the values in the teacher's item embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import get_item_embeddings


@keras.saving.register_keras_serializable(package="kd_tf")
class SoftParameter(DistillationLoss):
    """Matches the distribution of the values, and of the lengths, of the teacher's item embeddings.

    ``(mean_s - mean_t)^2 + (std_s - std_t)^2 + mean over levels of (quantile_s - quantile_t)^2``,
    once for all values of the embeddings and once for their lengths, both divided by their root
    mean square: then neither the dimension of the embeddings nor their scale matters, and models
    of any sizes can be compared. Every example has this loss; it does not depend on the users.

    The parameters are not shared but become similar: matching distributions instead of values is
    that of Huang & Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer"
    (2017, maximum mean discrepancy of activations), and moments are compared as in Zellinger et
    al., "Central Moment Discrepancy (CMD) for Domain-Invariant Representation Learning" (ICLR
    2017). Quantiles replace the higher moments, which are sensitive to outliers; their mean
    squared difference is the squared one-dimensional Wasserstein distance, on a grid.

    Args:
        num_quantiles: The number of quantile levels, at least 1.
        num_samples: The number of the student's embeddings drawn in every step, at least 1. The
            teacher's are all used, once.
    """

    def __init__(self, num_quantiles: int = 32, num_samples: int = 1024, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_quantiles < 1 or num_samples < 1:
            raise ValueError(
                "num_quantiles and num_samples must be at least 1, not "
                f"{num_quantiles} and {num_samples}"
            )
        self.num_quantiles, self.num_samples = num_quantiles, num_samples

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings(setup.student, "SoftParameter")
        embeddings = get_item_embeddings(setup.teacher, "SoftParameter")
        self.teacher_statistics = self._compute_statistics(embeddings[1:])

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        embeddings, num_items = batch.student.item_embeddings(), batch.student.num_items
        if num_items <= self.num_samples:
            rows = embeddings[1:]
        elif batch.training:
            ids = rng.sample_uniform([self.num_samples], 1, num_items + 1, tf.int32)
            rows = tf.gather(embeddings, ids)
        else:
            ids = 1 + np.arange(self.num_samples) * num_items // self.num_samples
            rows = tf.gather(embeddings, ids)
        error = tf.square(self._compute_statistics(rows) - self.teacher_statistics)
        moment_error, quantile_error = error[:, :2], error[:, 2:]
        loss = tf.reduce_sum(moment_error) + tf.reduce_sum(tf.reduce_mean(quantile_error, axis=1))
        return tf.fill([tf.shape(batch.history)[0]], loss)

    def _compute_statistics(self, rows: tf.Tensor) -> tf.Tensor:
        """Summarizes values and lengths of embeddings [n, d]: float32 [2, 2 + num_quantiles]."""
        squared_norm = tf.reduce_sum(tf.square(rows), axis=1)
        is_positive = squared_norm > 0
        # Two `where`, because the gradient of a square root is infinite at 0.
        norms = tf.where(is_positive, tf.sqrt(tf.where(is_positive, squared_norm, 1.0)), 0.0)
        return tf.stack(
            [self._summarize_values(tf.reshape(rows, [-1])), self._summarize_values(norms)]
        )

    def _summarize_values(self, values: tf.Tensor) -> tf.Tensor:
        """Computes mean, standard deviation and quantiles, divided by the root mean square."""
        scaled_values = values * tf.math.rsqrt(tf.reduce_mean(tf.square(values)) + 1e-20)
        mean = tf.reduce_mean(scaled_values)
        std = tf.sqrt(tf.reduce_mean(tf.square(scaled_values - mean)) + 1e-12)
        return tf.concat(
            [[mean, std], _compute_quantiles(scaled_values, self.num_quantiles)], axis=0
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_quantiles": self.num_quantiles,
            "num_samples": self.num_samples,
        }


def _compute_quantiles(values: tf.Tensor, count: int) -> tf.Tensor:
    """Computes float32 [count]: quantiles at the levels (k + 1/2) / count, interpolated."""
    ordered_values = tf.sort(values)
    last = tf.shape(values)[0] - 1
    levels = tf.constant((np.arange(count) + 0.5) / count, tf.float32)
    position = levels * tf.cast(last, tf.float32)
    below = tf.cast(tf.floor(position), tf.int32)
    fraction = position - tf.floor(position)
    above = tf.minimum(below + 1, last)
    return (1 - fraction) * tf.gather(ordered_values, below) + fraction * tf.gather(
        ordered_values, above
    )

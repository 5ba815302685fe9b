"""Soft parameters: how the numbers of the teacher's vectors of books are distributed."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.distill.knowledge.base import Knowledge, Lesson, Step
from kd_tf.distill.knowledge.vectors import book_table
from kd_tf.keras import keras, tf
from kd_tf.models import randomness


@keras.saving.register_keras_serializable(package="kd_tf")
class SoftParameter(Knowledge):
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

    def __init__(self, quantiles: int = 32, books: int = 1024, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if quantiles < 1 or books < 1:
            raise ValueError(f"quantiles and books must be at least 1, not {quantiles} and {books}")
        self.quantiles, self.books = quantiles, books

    def prepare(self, lesson: Lesson) -> None:
        book_table(lesson.student, "SoftParameter")
        table = book_table(lesson.teacher, "SoftParameter")
        self.wanted = self._shapes(table[1:])

    def loss(self, step: Step) -> tf.Tensor:
        table, books = step.student.book_vectors(), step.student.books
        if books <= self.books:
            rows = table[1:]
        elif step.training:
            rows = tf.gather(table, randomness.uniform([self.books], 1, books + 1, tf.int32))
        else:
            rows = tf.gather(table, 1 + np.arange(self.books) * books // self.books)
        difference = tf.square(self._shapes(rows) - self.wanted)
        loss = tf.reduce_sum(difference[:, :2]) + tf.reduce_sum(
            tf.reduce_mean(difference[:, 2:], axis=1)
        )
        return tf.fill([tf.shape(step.history)[0]], loss)

    def _shapes(self, rows: tf.Tensor) -> tf.Tensor:
        """float32 [2, 2 + quantiles]: of the numbers and of the lengths of vectors [n, d]."""
        square = tf.reduce_sum(tf.square(rows), axis=1)
        long = square > 0
        # Two `where`, because the slope of a square root at 0 is infinite.
        lengths = tf.where(long, tf.sqrt(tf.where(long, square, 1.0)), 0.0)
        return tf.stack([self._shape(tf.reshape(rows, [-1])), self._shape(lengths)])

    def _shape(self, values: tf.Tensor) -> tf.Tensor:
        """float32 [2 + quantiles]: mean, deviation and quantiles over the root mean square."""
        scaled = values * tf.math.rsqrt(tf.reduce_mean(tf.square(values)) + 1e-20)
        mean = tf.reduce_mean(scaled)
        deviation = tf.sqrt(tf.reduce_mean(tf.square(scaled - mean)) + 1e-12)
        return tf.concat([[mean, deviation], _quantiles(scaled, self.quantiles)], axis=0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "quantiles": self.quantiles, "books": self.books}


def _quantiles(values: tf.Tensor, count: int) -> tf.Tensor:
    """float32 [count]: at the levels (k + 1/2) / count, between two values interpolated."""
    ordered = tf.sort(values)
    last = tf.shape(values)[0] - 1
    levels = tf.constant((np.arange(count) + 0.5) / count, tf.float32)
    place = levels * tf.cast(last, tf.float32)
    below = tf.cast(tf.floor(place), tf.int32)
    share = place - tf.floor(place)
    above = tf.minimum(below + 1, last)
    return (1 - share) * tf.gather(ordered, below) + share * tf.gather(ordered, above)

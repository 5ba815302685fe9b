"""A linear map of the numbers of a row to their principal components."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf

MAX_ROWS = 100_000
"""Rows that the components are fitted to."""


class PrincipalComponents(keras.layers.Layer):
    """Maps numbers to their first principal components, each with variance 1 in training.

    Args:
        num_inputs: G, the number of numbers.
        num_components: k, below G.

    Example:
        >>> layer = PrincipalComponents(3, 1)
        >>> layer.fit(np.array([[1, 2, 0], [2, 4, 0], [3, 6, 0]], np.float32))
        >>> [round(abs(float(x[0])), 2) for x in layer(tf.constant([[2.0, 4.0, 0.0], [3, 6, 9]]))]
        [0.0, 1.22]
    """

    def __init__(self, num_inputs: int, num_components: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 1 <= num_components < num_inputs:
            raise ValueError(
                f"{num_components} principal components need more numbers than that; there are "
                f"{num_inputs}"
            )
        self.num_inputs, self.num_components = num_inputs, num_components
        self.kernel = self.add_weight(
            name="kernel", shape=(num_inputs, num_components), trainable=False
        )
        self.offset = self.add_weight(
            name="offset", shape=(num_components,), initializer="zeros", trainable=False
        )

    def fit(self, numbers: np.ndarray) -> None:
        """Finds the components of rows.

        Args:
            numbers: float32 [n, G].
        """
        rows = np.linspace(0, len(numbers) - 1, min(len(numbers), MAX_ROWS)).astype(np.int64)
        sample = numbers[rows].astype(np.float64)
        mean = sample.mean(axis=0)
        deviations = sample - mean
        variances, vectors = np.linalg.eigh(deviations.T @ deviations / len(sample))
        # Ascending: the last ones are the first components.
        largest = slice(None, -self.num_components - 1, -1)
        scale = np.sqrt(np.maximum(variances[largest], 1e-12))
        kernel = vectors[:, largest] / scale
        self.kernel.assign(kernel)
        self.offset.assign(-mean @ kernel)

    def call(self, numbers: tf.Tensor) -> tf.Tensor:
        """Returns float32 [B, k] of float32 [B, G]."""
        return tf.matmul(numbers, self.kernel) + self.offset

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_inputs": self.num_inputs,
            "num_components": self.num_components,
        }

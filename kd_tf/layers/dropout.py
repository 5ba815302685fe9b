"""Dropout whose random numbers can be saved and restored with a training."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf


@keras.saving.register_keras_serializable(package="kd_tf")
class Dropout(keras.layers.Layer):
    """Sets a random fraction of its inputs to 0 in training and scales up the rest.

    Unlike Keras' own layer it draws from the generator of `kd_tf.rng`.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014).

    Args:
        rate: The fraction, in [0, 1).

    Raises:
        ValueError: `rate` is out of range.

    Example:
        >>> Dropout(0.5)(tf.ones([3]), training=False).numpy()
        array([1., 1., 1.], dtype=float32)
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), not {rate}")
        self.rate = rate
        # Tracked as an attribute because saving a model needs every resource that it captures.
        self._generator = rng.get_generator()

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or not self.rate:
            return inputs
        keep_mask = tf.cast(rng.sample_uniform(tf.shape(inputs)) >= self.rate, inputs.dtype)
        return inputs * keep_mask / (1 - self.rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}

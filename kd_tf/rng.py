"""What models and methods draw while they learn, from one generator that can be put back.

TensorFlow's older functions (``tf.random.uniform``, Keras's own dropout) keep their place where
nothing can read it: a training that was stopped could not go on as it would have gone.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf


@functools.cache
def _get_generator() -> tf.random.Generator:
    # Not before it is asked for: with it TensorFlow starts, and its threads are settled.
    with tf.init_scope():
        return tf.random.Generator.from_seed(0, alg="philox")


def set_seed(value: int) -> None:
    """Starts anew: what is drawn from here on depends on `value` alone. Keras's weights too."""
    keras.utils.set_random_seed(value)
    _get_generator().reset_from_seed(value)


def get_state() -> tf.Variable:
    """Where the generator is: what a stopped training stores, and assigns when it goes on."""
    return _get_generator().state


def sample_uniform(
    shape: Any, low: float = 0.0, high: float = 1.0, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Evenly drawn numbers of ``[low, high)``; whole numbers where `dtype` is int32."""
    return _get_generator().uniform(shape, low, high, dtype)


def sample_normal(shape: Any) -> tf.Tensor:
    """Standard normal numbers, float32."""
    return _get_generator().normal(shape)


def sample_gumbel(shape: Any) -> tf.Tensor:
    """Standard Gumbel noise, float32, always finite: ``-log(-log(u))``, u even in (0, 1)."""
    # Never 0, of which the logarithm is not finite.
    return -tf.math.log(-tf.math.log(sample_uniform(shape, float(np.finfo(np.float32).tiny))))


def sample_categorical(log_weights: tf.Tensor, count: int) -> tf.Tensor:
    """int32 [B, count] places, drawn with replacement by exp of `log_weights`, float32 [B, n]."""
    shape = tf.shape(log_weights)
    noise = sample_gumbel([shape[0], count, shape[1]])
    return tf.argmax(log_weights[:, tf.newaxis] + noise, axis=2, output_type=tf.int32)


@keras.saving.register_keras_serializable(package="kd_tf")
class Dropout(keras.layers.Layer):
    """Sets a share of the numbers to 0 in training, and scales the others up for it.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014).

    Args:
        rate: The share, from 0 to below 1.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be from 0 to below 1, not {rate}")
        self.rate = rate
        # An exported model stores what training would draw from; it must find it.
        self._generator = _get_generator()

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or not self.rate:
            return inputs
        stays = tf.cast(sample_uniform(tf.shape(inputs)) >= self.rate, inputs.dtype)
        return inputs * stays / (1 - self.rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}

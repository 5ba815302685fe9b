"""Random numbers for training, from one generator whose state can be saved and restored.

The state of TensorFlow's older functions (``tf.random.uniform``, Keras' own dropout) cannot be
read, so that an interrupted training could not be resumed with the same random numbers.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf


@functools.cache
def get_generator() -> tf.random.Generator:
    """Returns the generator; creates it at the first call."""
    # Created lazily: this starts TensorFlow, after which its thread counts can no longer be set.
    with tf.init_scope():
        return tf.random.Generator.from_seed(0, alg="philox")


def set_seed(value: int) -> None:
    """Seeds this generator and those of Keras: all later draws depend on `value` alone.

    Example:
        >>> set_seed(7)
        >>> first = sample_uniform([2]).numpy()
        >>> set_seed(7)
        >>> bool((sample_uniform([2]).numpy() == first).all())
        True
    """
    keras.utils.set_random_seed(value)
    get_generator().reset_from_seed(value)


def get_state() -> tf.Variable:
    """Returns the state of the generator: saved with a training, and assigned to resume it."""
    return get_generator().state


def sample_uniform(
    shape: Any, low: float = 0.0, high: float = 1.0, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Samples uniformly from ``[low, high)``; integers if `dtype` is int32."""
    return get_generator().uniform(shape, low, high, dtype)


def sample_normal(shape: Any) -> tf.Tensor:
    """Samples standard normal numbers, float32."""
    return get_generator().normal(shape)


def sample_gumbel(shape: Any) -> tf.Tensor:
    """Samples standard Gumbel noise: ``-log(-log(u))``, u uniform in (0, 1); float32, finite."""
    # The lower bound excludes 0, whose logarithm is not finite.
    return -tf.math.log(-tf.math.log(sample_uniform(shape, float(np.finfo(np.float32).tiny))))


def sample_categorical(log_weights: tf.Tensor, count: int) -> tf.Tensor:
    """Samples indices with replacement, with probability proportional to exp(`log_weights`).

    Args:
        log_weights: float32 [B, n].
        count: Number of samples per row.

    Returns:
        int32 [B, count].
    """
    shape = tf.shape(log_weights)
    noise = sample_gumbel([shape[0], count, shape[1]])
    return tf.argmax(log_weights[:, tf.newaxis] + noise, axis=2, output_type=tf.int32)

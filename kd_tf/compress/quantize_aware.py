"""Rounding of a student's tables while it learns, so that it learns to do with what a file holds.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference" (CVPR 2018): the student computes with rounded numbers, the numbers below them learn.
The gradient passes the rounding as if it were not there, the straight-through estimator of
Bengio, Leonard & Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for
Conditional Computation" (2013). The order matters, as in `kd_tf.compress.prune`, which works on
the other weights in the same training: prepare the Distiller, wrap, `fit`, strip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.layers.fake_quantize import fake_quantize
from kd_tf.models.base import HistoryModel

_INT8_LEVELS = 127
"""Even steps on either side of 0, as `kd_tf.layers.fake_quantize.rounded` and the converter have."""


def wrap_tables_in_fake_quantization(student: HistoryModel) -> None:
    """Lets everything that reads the student's `tables` see them as a file of one byte holds them.

    That is the student itself, in training, validation and knowledge, and its `numpy_scores`. The
    weights that learn and that are saved remain the unrounded ones.

    Args:
        student: One of `kd_tf.models.students.TRAINED_STUDENTS`; its weights exist.

    Raises:
        ValueError: It has no tables, they are wrapped, or they are not plain weights.
    """
    if not student.quantized_weights:
        raise ValueError(f"a {type(student).__name__} has no table to round")
    if is_fake_quantized(student):
        raise ValueError(f"the tables of {student.name} are rounded already")
    for name in student.quantized_weights:
        if not isinstance(getattr(student, name), tf.Variable):
            raise ValueError(f"the {name} of a {type(student).__name__} is no plain weight")
    for name in student.quantized_weights:
        # Past Keras, which would take the weight off its lists.
        student.__dict__[name] = _FakeQuantizedTable(getattr(student, name))


def is_fake_quantized(student: HistoryModel) -> bool:
    """Whether the student's tables are seen rounded."""
    return any(
        isinstance(student.__dict__.get(name), _FakeQuantizedTable)
        for name in student.quantized_weights
    )


def strip_fake_quantization(student: HistoryModel) -> None:
    """Makes the tables plain weights again; the rounding stays, so no score changes.

    Raises:
        ValueError: They are not wrapped.
    """
    if not is_fake_quantized(student):
        raise ValueError(f"the tables of {student.name} are not rounded")
    for name in student.quantized_weights:
        table: _FakeQuantizedTable = student.__dict__[name]
        table.variable.assign(table.numpy())
        student.__dict__[name] = table.variable


class _FakeQuantizedTable:
    """Stands where a model keeps a table, and is its rounded numbers wherever it is read.

    Args:
        floats: float32 [V + 1, d], what learns.
    """

    def __init__(self, variable: tf.Variable) -> None:
        self.variable = variable

    def __tf_tensor__(self, dtype: tf.DType | None = None, name: str | None = None) -> tf.Tensor:
        # Whatever TensorFlow computes with comes through here, anew in every step.
        return _quantize_straight_through(tf.convert_to_tensor(self.variable, dtype))

    def numpy(self) -> np.ndarray:
        """float32 [V + 1, d]."""
        return fake_quantize(self.variable.numpy())

    def assign(self, table: np.ndarray) -> None:
        """Takes over float32 [V + 1, d]."""
        self.variable.assign(table)

    @property
    def shape(self) -> tf.TensorShape:
        return self.variable.shape

    @property
    def dtype(self) -> tf.DType:
        return self.variable.dtype


@tf.custom_gradient
def _quantize_straight_through(table: tf.Tensor) -> tuple[tf.Tensor, Callable[[Any], Any]]:
    """`rounded`, of which the gradient is that of the identity."""
    step = tf.maximum(tf.reduce_max(tf.abs(table)) / _INT8_LEVELS, 1e-30)
    return tf.round(table / step) * step, lambda upstream: upstream

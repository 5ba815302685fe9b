"""Quantization-aware training: trains a student with fake-quantized embedding tables.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference" (CVPR 2018): the student computes with rounded weights, and the float weights are
trained. The gradient passes through the rounding unchanged (straight-through estimator: Bengio,
Leonard & Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for Conditional
Computation", 2013).

The order is: build the Distiller's losses, `wrap_tables_in_fake_quantization`, ``fit``,
`strip_fake_quantization`. It can be combined with `kd_tf.compress.prune`, which changes other
weights, in the same training.
"""

from __future__ import annotations

import numpy as np

from kd_tf.backend import tf
from kd_tf.layers.fake_quantize import fake_quantize
from kd_tf.models.base import HistoryModel

_INT8_LEVELS = 127
"""Levels on either side of 0, as in `kd_tf.layers.fake_quantize` and the converter."""


def wrap_tables_in_fake_quantization(student: HistoryModel) -> None:
    """Replaces the student's `quantized_weights` by proxies that return int8-rounded values.

    Everything that reads the tables then sees rounded values: training, validation, distillation
    losses and `numpy_scores`. The variables that are trained and saved keep their float values.

    Args:
        student: One of `kd_tf.models.students.TRAINED_STUDENTS` whose weights exist.

    Raises:
        ValueError: The student has no tables, they are wrapped already, or they are not variables.
    """
    if not student.quantized_weights:
        raise ValueError(f"a {type(student).__name__} has no embedding table to quantize")
    if is_fake_quantized(student):
        raise ValueError(f"the tables of {student.name} are already fake-quantized")
    for name in student.quantized_weights:
        if not isinstance(getattr(student, name), tf.Variable):
            raise ValueError(f"the {name} of a {type(student).__name__} is not a tf.Variable")
    for name in student.quantized_weights:
        # Set in __dict__: `setattr` of Keras would untrack the variable.
        student.__dict__[name] = _FakeQuantizedTable(getattr(student, name))


def is_fake_quantized(student: HistoryModel) -> bool:
    """Returns whether the student's tables are wrapped in fake quantization."""
    return any(
        isinstance(student.__dict__.get(name), _FakeQuantizedTable)
        for name in student.quantized_weights
    )


def strip_fake_quantization(student: HistoryModel) -> None:
    """Unwraps the tables and stores the rounded values, so no score changes.

    Raises:
        ValueError: The tables are not wrapped.
    """
    if not is_fake_quantized(student):
        raise ValueError(f"the tables of {student.name} are not fake-quantized: wrap them first")
    for name in student.quantized_weights:
        table: _FakeQuantizedTable = student.__dict__[name]
        table.variable.assign(table.numpy())
        student.__dict__[name] = table.variable


class _FakeQuantizedTable:
    """A proxy for an embedding variable that reads as its int8-rounded values.

    Args:
        variable: float32 [V + 1, d], the variable that is trained.
    """

    def __init__(self, variable: tf.Variable) -> None:
        self.variable = variable

    def __tf_tensor__(self, dtype: tf.DType | None = None, name: str | None = None) -> tf.Tensor:
        # TensorFlow converts the proxy here in every operation, so it reads the current values.
        return _quantize_straight_through(tf.convert_to_tensor(self.variable, dtype))

    def numpy(self) -> np.ndarray:
        """Returns the rounded values: float32 [V + 1, d]."""
        return fake_quantize(self.variable.numpy())

    def assign(self, table: np.ndarray) -> None:
        """Assigns float32 [V + 1, d] to the variable."""
        self.variable.assign(table)

    @property
    def shape(self) -> tf.TensorShape:
        """Shape of the variable."""
        return self.variable.shape

    @property
    def dtype(self) -> tf.DType:
        """Data type of the variable."""
        return self.variable.dtype


def _quantize_straight_through(table: tf.Tensor) -> tf.Tensor:
    """Rounds a table to int8 levels; the gradient is that of the identity."""
    scale = tf.maximum(tf.reduce_max(tf.abs(table)) / _INT8_LEVELS, 1e-30)
    # Exactly the rounded values: the second term is 0 and brings the gradient. Unlike a custom
    # gradient, it leaves nothing in TensorFlow's registry, which would keep the graph for ever.
    return tf.stop_gradient(tf.round(table / scale) * scale) + (table - tf.stop_gradient(table))

"""Students in plain NumPy, so that not even TensorFlow has to be believed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kd_tf.backend import tf
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.runtime.measure.numpy_mlp import NumpyMLP
from kd_tf.tflite.int4_student import Int4Student


def make_numpy_mlp(student: HistoryModel, recommendations: int) -> NumpyMLP:
    """The student in plain NumPy.

    Args:
        student: An MLP or a two-tower student, or one of four bits made of it.
        recommendations: K.

    Raises:
        UserError: It is no multilayer perceptron over pooled rows.
    """
    packed = student.packed_table.numpy() if isinstance(student, Int4Student) else None
    plain = student.student if isinstance(student, Int4Student) else student
    if not isinstance(plain, MLPStudent):
        raise UserError(
            f"a {type(plain).__name__} cannot be compared with NumPy or ONNX Runtime",
            hint="They are compared with the students mlp and two-tower; naive with every student.",
        )
    hidden, correction = plain.core.layers
    table = plain.table.numpy() if packed is None else packed
    tied = plain.scoring_table is plain.table
    return NumpyMLP(
        {
            "table": table,
            "scoring_table": table if tied else plain.scoring_table.numpy(),
            "recency": tf.nn.softplus(plain.recency).numpy(),
            "hidden_kernel": hidden.kernel.numpy(),
            "hidden_bias": hidden.bias.numpy(),
            "correction_kernel": correction.kernel.numpy(),
            "correction_bias": correction.bias.numpy(),
        },
        recommendations,
    )


def make_numpy_score_fn(student: HistoryModel) -> Callable[[np.ndarray], np.ndarray] | None:
    """From histories int32 [n, L] to scores float32 [n, V + 1]; None for students without a way."""
    try:
        perceptron = make_numpy_mlp(student, 1)
    except UserError:
        none = np.zeros((1, student.max_length), np.int32)
        if student.numpy_scores(student.from_inputs(none)) is None:
            return None
        return lambda rows: np.asarray(student.numpy_scores(student.from_inputs(rows)))
    return lambda rows: np.stack([perceptron.score(row) for row in rows])

"""Evaluates students in plain NumPy: a reference for parity checks, independent of TensorFlow."""

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
    """Converts a student to plain NumPy.

    Args:
        student: An MLP or two-tower student, or its int4 form.
        recommendations: K, the number of items in a list.

    Returns:
        The same model in NumPy.

    Raises:
        UserError: The student has another architecture.
    """
    mlp = student.student if isinstance(student, Int4Student) else student
    if not isinstance(mlp, MLPStudent):
        raise UserError(
            f"a {type(mlp).__name__} cannot be compared with numpy or onnxruntime",
            hint="These support the students mlp and two-tower. naive supports all students.",
        )
    hidden, correction = mlp.core.layers
    is_int4 = isinstance(student, Int4Student)
    table = student.packed_table.numpy() if is_int4 else mlp.table.numpy()
    is_tied = mlp.scoring_table is mlp.table
    return NumpyMLP(
        {
            "table": table,
            "scoring_table": table if is_tied else mlp.scoring_table.numpy(),
            "recency": tf.nn.softplus(mlp.recency).numpy(),
            "hidden_kernel": hidden.kernel.numpy(),
            "hidden_bias": hidden.bias.numpy(),
            "correction_kernel": correction.kernel.numpy(),
            "correction_bias": correction.bias.numpy(),
        },
        recommendations,
    )


def make_numpy_score_fn(student: HistoryModel) -> Callable[[np.ndarray], np.ndarray] | None:
    """Returns a function that scores all items in plain NumPy.

    Args:
        student: The student.

    Returns:
        A function from histories int32 [n, L] to scores float32 [n, V + 1]; None if the student
        has no NumPy evaluation.
    """
    try:
        numpy_mlp = make_numpy_mlp(student, 1)
    except UserError:
        empty_history = np.zeros((1, student.max_length), np.int32)
        if student.numpy_scores(student.from_inputs(empty_history)) is None:
            return None
        return lambda rows: np.asarray(student.numpy_scores(student.from_inputs(rows)))
    return lambda rows: np.stack([numpy_mlp.score(row) for row in rows])

"""Compares a .tflite file of the ranking task with the student that it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.errors import ParityError, UserError
from kd_tf.models.ranking.base import RankingModel
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.edge_rows import make_edge_rows
from kd_tf.tflite.ranking.numpy_reference import make_numpy_predict_fn

MAX_REPEATED_ROWS = 50
"""Number of rows that are predicted one by one and twice."""

MAX_NUMPY_ROWS = 500
"""Number of rows that are compared with NumPy."""


@dataclass(frozen=True)
class PredictionTolerance:
    """How far a file may differ from its student.

    Attributes:
        max_error: Maximum difference of a probability.
        max_mean_error: Maximum mean difference.
    """

    max_error: float
    max_mean_error: float


PREDICTION_TOLERANCES = {
    Quantization.FLOAT32: PredictionTolerance(1e-4, 1e-5),
    Quantization.FLOAT16: PredictionTolerance(0.01, 1e-3),
    Quantization.DYNAMIC_INT8: PredictionTolerance(0.15, 0.02),
    # Activations beyond those of the calibration are cut off, so a few rows get a larger error.
    Quantization.INT8: PredictionTolerance(0.25, 0.03),
}
"""Tolerance of each quantization."""


@dataclass(frozen=True)
class PredictionParity:
    """How close a file is to its student.

    Attributes:
        rows: Number of real rows that were compared.
        max_error: Largest difference of a probability, over these.
        mean_error: Mean difference, over these.
        max_numpy_error: Largest difference from a NumPy evaluation of the student's weights; None
            if the student has none.
    """

    rows: int
    max_error: float
    mean_error: float
    max_numpy_error: float | None = None


def check_prediction_parity(
    content: bytes,
    student: RankingModel,
    examples: RankingExamples,
    *,
    quantization: Quantization,
) -> PredictionParity:
    """Runs a file and its student side by side and raises an error if they differ.

    Besides the given rows, the check covers rows without any value, unknown ids, the first and the
    last id of every feature, the smallest and largest numbers together, and ids that no feature
    has. Both signatures must give the same answers, and the same ones on every call.

    Args:
        content: The .tflite file.
        student: The student that it was converted from.
        examples: Real rows, at least one.
        quantization: Quantization of the file, which determines the tolerance.

    Returns:
        The measurements over `examples`.

    Raises:
        ParityError: The file cannot be run, breaks the contract, or differs by more than the
            tolerance.
        ValueError: There are no rows.
    """
    if not len(examples):
        raise ValueError("parity needs at least one row")
    try:
        model = PredictionModel(content)
    except UserError as error:
        raise ParityError(str(error)) from error
    examples = examples.select_features(student.layout)
    tolerance = PREDICTION_TOLERANCES[quantization]
    edge_rows = make_edge_rows(student.layout, examples)
    errors = {}
    for where, rows in (("real rows", examples), ("edge cases", edge_rows)):
        student_predictions = student.predict_probabilities(rows)
        actual = model.predict_all(rows.categorical, rows.numeric)
        if not np.isfinite(actual).all() or actual.min() < 0 or actual.max() > 1:
            raise ParityError(f"the file predicts {actual[~_is_share(actual)][0]} on {where}")
        errors[where] = np.abs(actual - student_predictions)
        _require_small_error(errors[where], tolerance, f"on {where} ({quantization.value})")
    _check_single_rows(model, examples, quantization)
    return PredictionParity(
        len(examples),
        float(errors["real rows"].max()),
        float(errors["real rows"].mean()),
        _compare_with_numpy(model, student, examples, edge_rows, tolerance),
    )


def _is_share(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.isfinite(values) & (values >= 0) & (values <= 1))


def _require_small_error(errors: np.ndarray, tolerance: PredictionTolerance, where: str) -> None:
    for name, error, limit in (
        ("largest", errors.max(), tolerance.max_error),
        ("mean", errors.mean(), tolerance.max_mean_error),
    ):
        if error > limit:
            raise ParityError(
                f"the file's predictions differ from the student's {where}: {name} difference "
                f"{error:.4g}, allowed {limit}"
            )


def _check_single_rows(
    model: PredictionModel, examples: RankingExamples, quantization: Quantization
) -> None:
    """Checks that ``predict`` answers as ``predict_batch`` does, and as before."""
    count = min(len(examples), MAX_REPEATED_ROWS)
    categorical, numeric = examples.categorical[:count], examples.numeric[:count]
    batch = model.predict_all(categorical, numeric)
    rounds = [
        np.array(
            [
                model.predict(categorical[row : row + 1], numeric[row : row + 1])
                for row in range(count)
            ],
            np.float32,
        )
        for _ in range(2)
    ]
    if not np.array_equal(rounds[0], rounds[1]) or not np.array_equal(
        batch, model.predict_all(categorical, numeric)
    ):
        raise ParityError("the file gives different answers to the same row")
    # int8 calibrates the two signatures each, and quantizes activations of a batch together.
    limit = 1e-5 if quantization is Quantization.FLOAT32 else 0.1
    error = float(np.abs(rounds[0] - batch).max())
    if error > limit:
        raise ParityError(
            f"predict and predict_batch differ by {error:.4g}, allowed {limit} "
            f"({quantization.value})"
        )


def _compare_with_numpy(
    model: PredictionModel,
    student: RankingModel,
    examples: RankingExamples,
    edge_rows: RankingExamples,
    tolerance: PredictionTolerance,
) -> float | None:
    predict = make_numpy_predict_fn(student)
    if predict is None:
        return None
    errors = []
    for rows in (examples.take(np.arange(min(len(examples), MAX_NUMPY_ROWS))), edge_rows):
        actual = model.predict_all(rows.categorical, rows.numeric)
        errors.append(np.abs(actual - predict(rows.categorical, rows.numeric)))
        _require_small_error(errors[-1], tolerance, "in plain NumPy")
    return float(errors[0].max())

"""Converts a student of the ranking task to one file, and checks the file against it."""

from __future__ import annotations

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.errors import UserError
from kd_tf.models.ranking.base import RankingModel
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.convert import convert_ranking_model
from kd_tf.tflite.ranking.parity import PredictionParity, check_prediction_parity

MAX_PARITY_ROWS = 10_000
"""Test rows on which a file is compared with its student."""


def export_ranking_file(
    student: RankingModel,
    quantization: Quantization,
    *,
    train: RankingExamples,
    test: RankingExamples,
    batch_size: int,
    seed: int,
) -> tuple[bytes, PredictionParity]:
    """Converts a student, and compares the file with it.

    Args:
        student: The trained student.
        quantization: How the file stores its weights.
        train: Rows that calibrate int8.
        test: Rows on which the file is checked.
        batch_size: B, the rows of one call of ``predict_batch``.
        seed: Seed that draws the rows.

    Returns:
        The content of the file, and how close it is to the student.

    Raises:
        ParityError: The file differs from the student by more than its tolerance.
        UserError: The rows have other features than the student.
    """
    try:
        train.layout.find_places(student.layout)
    except ValueError as error:
        raise UserError(
            f"the student was trained with other features than these rows have: {error}",
            hint="Encode them with the schema that the student was trained with, or train again.",
        ) from error
    content = convert_ranking_model(student, quantization, batch_size=batch_size, calibration=train)
    parity = check_prediction_parity(
        content, student, draw_rows(test, MAX_PARITY_ROWS, seed), quantization=quantization
    )
    return content, parity


def draw_rows(examples: RankingExamples, count: int, seed: int) -> RankingExamples:
    """Draws rows at random, in the order of the table; all if there are no more."""
    if len(examples) <= count:
        return examples
    rows = np.random.default_rng(seed).choice(len(examples), count, replace=False)
    return examples.take(np.sort(rows))

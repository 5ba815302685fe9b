"""Converts a Keras student of the ranking task to one .tflite file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.base import RankingModel
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.tflite.converter import run_converter
from kd_tf.tflite.passes.flatbuffer import strip_names
from kd_tf.tflite.passes.share_operators import share_operators
from kd_tf.tflite.passes.share_table import share_table
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.calibration import choose_calibration_rows
from kd_tf.tflite.ranking.signatures import PredictionSignatures

BATCH_SIZE = 64
"""Rows that ``predict_batch`` takes at once, by default."""

QUANTIZATIONS = (
    Quantization.FLOAT32,
    Quantization.FLOAT16,
    Quantization.DYNAMIC_INT8,
    Quantization.INT8,
)
"""The forms in which a student of the ranking task can be exported."""


def convert_ranking_model(
    student: RankingModel,
    quantization: Quantization,
    *,
    batch_size: int = BATCH_SIZE,
    calibration: RankingExamples | None = None,
) -> bytes:
    """Converts a trained student to a .tflite file with ``predict`` and ``predict_batch``.

    Args:
        student: The trained student.
        quantization: Quantization of the file.
        batch_size: B, the number of rows of ``predict_batch``.
        calibration: Training rows, required for int8, of which some are chosen
            (`choose_calibration_rows`): what exceeds the activations that they cause is cut off.

    Returns:
        The content of the file. Compare it with the student
        (`kd_tf.tflite.ranking.parity.check_prediction_parity`) before you use it.

    Raises:
        ValueError: The student does not support this quantization or has no weights, or int8 has
            no calibration rows.
    """
    if quantization not in QUANTIZATIONS:
        raise ValueError(
            f"a student of the ranking task does not support {quantization.value}; it supports "
            f"{', '.join(form.value for form in QUANTIZATIONS)}"
        )
    if not student.built:
        raise ValueError(f"{student.name} has no weights yet: call create_weights and train it")
    if quantization is Quantization.INT8 and not len(calibration or ()):
        raise ValueError("int8 needs at least one calibration row")
    module = PredictionSignatures(student, batch_size)
    content = run_converter(
        module,
        module.functions,
        quantization,
        lambda: _generate_calibration_inputs(student, calibration, batch_size),
    )
    content = share_operators(strip_names(share_table(content, max(student.embedding.num_rows, 2))))
    with suppress_native_stderr():
        # A file that cannot be loaded fails here, where LiteRT's own messages are suppressed.
        PredictionModel(content)
    return content


def _generate_calibration_inputs(
    student: RankingModel, calibration: RankingExamples | None, batch_size: int
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields the signature name and inputs of each calibration sample."""
    assert calibration is not None
    calibration = choose_calibration_rows(student, calibration)
    rows = student.to_inputs(calibration)
    for row in range(len(calibration)):
        yield "predict", {name: array[row : row + 1] for name, array in rows.items()}
    # Rows are repeated to fill the last batch: without them its rows would not be calibrated.
    num_batches = -(-len(calibration) // batch_size)
    places = np.resize(np.arange(len(calibration)), (num_batches, batch_size))
    for batch in places:
        yield "predict_batch", {name: array[batch] for name, array in rows.items()}

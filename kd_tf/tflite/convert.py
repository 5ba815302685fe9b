"""Converts a Keras student to one .tflite file, with any of the supported quantizations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kd_tf.compress.gptq import quantize_tables
from kd_tf.models.base import HistoryModel
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.stored_weights import check_stored_weights
from kd_tf.tflite.converter import run_converter
from kd_tf.tflite.int4_student import Int4Student
from kd_tf.tflite.passes.flatbuffer import merge_models, strip_names
from kd_tf.tflite.passes.int4_table import share_int4_tables
from kd_tf.tflite.passes.share_operators import share_operators
from kd_tf.tflite.passes.share_table import share_table
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.signatures import Signatures


def convert(
    student: HistoryModel,
    quantization: Quantization,
    *,
    recommendations: int,
    candidates: int = 100,
    calibration: np.ndarray | None = None,
) -> bytes:
    """Converts a trained student to a .tflite file with all signatures of contract version 1.

    - float32 keeps the student as it is.
    - float16 stores half the bytes and computes in float32.
    - dynamic-int8 stores int8 weights with one scale per tensor and quantizes activations at
      run time.
    - int8 also computes the encoder in integers, with activation ranges from `calibration`; see
      `kd_tf.tflite.passes.share_table` for the scores. Its ``score`` and ``explain`` are those of
      dynamic-int8 on the same table, because the contribution of one item is smaller than one
      of 256 levels.
    - int4 stores the embedding table with four bits per weight.

    Args:
        student: The trained student.
        quantization: Quantization of the file.
        recommendations: K, the number of items in a list.
        candidates: C, the number of items that ``score`` takes at once.
        calibration: int32 [n, L], histories of training users. Required for int8 and int4; for
            dynamic-int8 they reduce the rounding error of the table (`kd_tf.compress.gptq`).

    Returns:
        The content of the file. Compare it with the student (`kd_tf.tflite.checks.parity`) before
        you use it, because converter faults yield wrong numbers without an error.

    Raises:
        ParityError: The converted file does not hold the student's weights exactly once.
        ValueError: The student does not support this quantization, int8 or int4 has no
            calibration data, K is out of range, or the student has no weights.
    """
    return convert_quantized(
        quantize_student(student, quantization, calibration),
        quantization,
        recommendations=recommendations,
        candidates=candidates,
        calibration=calibration,
    )


def quantize_student(
    student: HistoryModel, quantization: Quantization, calibration: np.ndarray | None
) -> HistoryModel:
    """Rounds a student's weights to the values that a file of this quantization holds.

    Args:
        student: The trained student.
        quantization: Quantization of the file.
        calibration: int32 [n, L], histories as users have them. Without them, weights are rounded
            to the nearest step.

    Returns:
        The quantized student; `student` itself for float32.

    Raises:
        ValueError: The student does not support this quantization, int8 or int4 has no
            calibration data, or the student has no weights.
    """
    if quantization.value not in student.quantizations:
        raise ValueError(
            f"{student.name} does not support {quantization.value}; it supports "
            f"{', '.join(student.quantizations)}"
        )
    histories = np.zeros((0, student.max_length), np.int32) if calibration is None else calibration
    if quantization in (Quantization.INT8, Quantization.INT4) and not len(histories):
        raise ValueError(f"{quantization.value} needs at least one calibration history")
    if not student.built:
        raise ValueError(f"{student.name} has no weights yet: call create_weights and train it")
    if quantization is Quantization.FLOAT32:
        return student
    if quantization is Quantization.INT4:
        return Int4Student(student, histories)
    if not len(histories) or quantization is Quantization.FLOAT16:
        return student.pack()
    return quantize_tables(student, histories).pack()


def convert_quantized(
    quantized_student: HistoryModel,
    quantization: Quantization,
    *,
    recommendations: int,
    candidates: int = 100,
    calibration: np.ndarray | None = None,
) -> bytes:
    """Converts a student that `quantize_student` has already rounded.

    Quantizing a large table takes long; call this to use the quantized student more than once.

    Args:
        quantized_student: The result of `quantize_student` for the same quantization.
        quantization: Quantization of the file.
        recommendations: K, the number of items in a list.
        candidates: C, the number of items that ``score`` takes at once.
        calibration: int32 [n, L], histories of every length, required for int8: what exceeds the
            activations that they cause is cut off.

    Returns:
        The content of the file.

    Raises:
        ParityError: The converted file does not hold the student's weights exactly once.
        ValueError: K or C is out of range.
    """
    is_int8 = quantization is Quantization.INT8
    module = Signatures(quantized_student, recommendations, candidates, use_blocks=not is_int8)
    rows = quantized_student.table_rows
    if is_int8:
        assert calibration is not None
        ranking = run_converter(
            module,
            module.ranking_functions,
            quantization,
            lambda: _generate_calibration_inputs(calibration),
        )
        per_item = run_converter(module, module.per_item_functions, Quantization.DYNAMIC_INT8)
        content = merge_models(ranking, per_item)
    else:
        content = run_converter(module, module.functions, quantization)
    content = strip_names(share_int4_tables(share_table(content, rows), rows))
    content = share_operators(content)
    check_stored_weights(content, quantized_student)
    with suppress_native_stderr():
        # Load the file once while stderr is suppressed: LiteRT logs its delegate on the first
        # load, and a file that cannot be loaded fails here.
        TFLiteModel(content)
    return content


def _generate_calibration_inputs(
    histories: np.ndarray,
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields the signature name and inputs of each calibration sample."""
    for history in histories:
        yield "recommend", {"history": history[np.newaxis]}
        # Calibrate `similar` with the newest item of the same user.
        newest = history[max(int((history > 0).sum()) - 1, 0)]
        yield "similar", {"book": np.array([newest], np.int32)}

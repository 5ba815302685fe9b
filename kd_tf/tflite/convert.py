"""A Keras student -> one .tflite, in each of the forms that an app may want."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from enum import Enum

import numpy as np

from kd_tf.backend import tf
from kd_tf.compress.gptq import quantize_tables
from kd_tf.models.base import HistoryModel
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.stored_weights import check_stored_weights
from kd_tf.tflite.int4_student import Int4Student
from kd_tf.tflite.passes.flatbuffer import merge_models, strip_names
from kd_tf.tflite.passes.int4_table import share_int4_tables
from kd_tf.tflite.passes.share_operators import share_operators
from kd_tf.tflite.passes.share_table import share_table
from kd_tf.tflite.signatures import Signatures


class Quantization(Enum):
    """How the weights and the arithmetic are stored; the value is the name in tables."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC_INT8 = "dynamic-int8"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def bytes_per_weight(self) -> int:
        """What one weight needs in the file, at most."""
        return {"float32": 4, "float16": 2}.get(self.value, 1)


def convert(
    student: HistoryModel,
    quantization: Quantization,
    *,
    recommendations: int,
    candidates: int = 100,
    calibration: np.ndarray | None = None,
) -> bytes:
    """Converts a trained student with all signatures of contract version 1.

    float32 is the student as it is. float16 stores half the bytes and computes in float32.
    dynamic-int8 stores int8 weights, one scale a tensor, and quantizes what it multiplies them
    with on the fly. int8 computes the encoder in whole numbers whose ranges come from
    `calibration`; see `kd_tf.tflite.passes.share_table` for what happens to the list of scores. Its
    ``score`` and ``explain`` are those of dynamic-int8 on the same table: the difference that one
    book makes is smaller than a step between two of 256 levels.

    Args:
        student: Built and trained.
        quantization: The form.
        recommendations: K.
        candidates: C, how many books ``score`` takes at once.
        calibration: int32 [n, L], histories of training readers. int8 and int4 need some; the
            table of dynamic-int8 is rounded better with them (`kd_tf.compress.gptq`).

    Returns:
        The content of the file. Compare it with the student (`kd_tf.tflite.checks.parity`) before
        anything relies on it: converters return wrong numbers without a word.

    Raises:
        ParityError: What the converter made does not hold the student's weights once.
        ValueError: A form that the student does not have, int8 or int4 without calibration, K out
            of range, or a student without weights.
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
    """The student with the very weights that a file of this form holds.

    Args:
        student: Built and trained.
        quantization: The form.
        calibration: int32 [n, L]; without any, numbers are rounded to the nearest step.

    Raises:
        ValueError: A form that the student does not have, int8 or int4 without calibration, or a
            student without weights.
    """
    if quantization.value not in student.quantizations:
        raise ValueError(
            f"{quantization.value} is not a form of {student.name}, which has {student.quantizations}"
        )
    users = np.zeros((0, student.max_length), np.int32) if calibration is None else calibration
    if quantization in (Quantization.INT8, Quantization.INT4) and not len(users):
        raise ValueError(f"{quantization.value} needs calibration histories, at least one")
    if not student.built:
        raise ValueError(f"{student.name} has no weights yet: call create_weights and train it")
    if quantization is Quantization.FLOAT32:
        return student
    if quantization is Quantization.INT4:
        return Int4Student(student, users)
    if not len(users) or quantization is Quantization.FLOAT16:
        return student.pack()
    return quantize_tables(student, users).pack()


def convert_quantized(
    quantized_student: HistoryModel,
    quantization: Quantization,
    *,
    recommendations: int,
    candidates: int = 100,
    calibration: np.ndarray | None = None,
) -> bytes:
    """`convert` of what `stored_form` gave, which takes its time for a large table.

    Args:
        stored: What `stored_form` gave for the same form and calibration.
        quantization: As in `convert`, and so are the others.
    """
    whole = quantization is Quantization.INT8
    module = Signatures(quantized_student, recommendations, candidates, use_blocks=not whole)
    rows = quantized_student.table_rows
    if whole:
        ranking = _run_converter(module, list(module.ranking_functions), quantization, calibration)
        few = _run_converter(module, list(module.per_item_functions), Quantization.DYNAMIC_INT8)
        content = merge_models(ranking, few)
    else:
        content = _run_converter(module, list(module.functions), quantization)
    content = strip_names(share_int4_tables(share_table(content, rows), rows))
    content = share_operators(content)
    check_stored_weights(content, quantized_student)
    with suppress_native_stderr():
        # Loads or raises here, in the quiet: LiteRT announces its delegate to the first caller.
        TFLiteModel(content)
    return content


def _run_converter(
    module: Signatures,
    names: list[str],
    quantization: Quantization,
    calibration: np.ndarray | None = None,
) -> bytes:
    """What TensorFlow's converter makes of some of the signatures."""
    with tempfile.TemporaryDirectory() as folder, suppress_native_stderr():
        functions = {name: module.functions[name] for name in names}
        tf.saved_model.save(module, folder, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=names)
        if quantization is not Quantization.FLOAT32:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            # One scale a row would give the scoring a second copy of the table. A private flag:
            # test_convert.py fails with advice when a TensorFlow release drops it.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if quantization is Quantization.FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        if quantization is Quantization.INT8:
            assert calibration is not None
            converter.representative_dataset = lambda: _generate_calibration_inputs(calibration)
        return bytes(converter.convert())


def _generate_calibration_inputs(
    histories: np.ndarray,
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    for history in histories:
        yield "recommend", {"history": history[np.newaxis]}
        # The same readers' newest books: what somebody who asks for similar ones looks at.
        newest = history[max(int((history > 0).sum()) - 1, 0)]
        yield "similar", {"book": np.array([newest], np.int32)}

"""What a .tflite holds of a student: every table that grows with the catalogue, once and right.

A recommender's file is its item table. Converters keep copies of it (one to gather from, one to
multiply with, one a signature), write it out in float32 when the file is opened, or store other
numbers than they were given, and say nothing of it. Here the file itself is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kd_tf.backend import tf
from kd_tf.errors import ParityError
from kd_tf.layers.quantized_embedding import QuantizedEmbedding
from kd_tf.models.base import HistoryModel
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.tflite.passes.flatbuffer import get_builtin_code, is_constant
from kd_tf.training import checkpoint

_DTYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT16: np.int16,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT8: np.int8,
}


_MIN_QUANTIZED_SIZE = 1024
"""The converter rounds no table of fewer numbers; a copy of one is smaller than an operator."""


@dataclass(frozen=True, eq=False)
class Constant:
    """Numbers that stand in a file.

    Attributes:
        values: What they stand for, in the file's shape.
        step: The distance between two numbers that can be stored; 0 where all can.
        bytes: In the file.
    """

    values: np.ndarray
    step: float
    bytes: int


def read_item_constants(content: bytes, rows: int) -> list[Constant]:
    """The constants with `rows` rows, or with as many whole numbers or more.

    Each is met once, however many tensors read it.

    Raises:
        NotImplementedError: One of them is of a type that no export of ours has.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    found: dict[int, Constant] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if not is_constant(model, tensor) or tensor.buffer in found:
                continue
            # INT4 tensors are the bytes that rows are taken from, which are met as UINT8.
            if not _has_item_rows(tensor, rows) or tensor.type == schema.TensorType.INT4:
                continue
            if tensor.type not in _DTYPES:
                raise NotImplementedError(
                    f"a constant {tensor.shape.tolist()} has the type {tensor.type}"
                )
            data = np.ascontiguousarray(model.buffers[tensor.buffer].data, np.uint8)
            values = data.view(_DTYPES[tensor.type]).reshape(tensor.shape)
            step = 0.0
            if tensor.type == schema.TensorType.INT8:
                scales = tensor.quantization.scale.astype(np.float32)
                offsets = tensor.quantization.zeroPoint.astype(np.float32)
                step = float(scales.max())
                by_row = (len(scales), *[1] * (values.ndim - 1))
                values = (values - offsets.reshape(by_row)) * scales.reshape(by_row)
            found[tensor.buffer] = Constant(values, step, len(data))
    return list(found.values())


def _has_item_rows(tensor: schema.TensorT, rows: int) -> bool:
    shape = [] if tensor.shape is None else tensor.shape.tolist()
    whole = tensor.type in _INTEGER_TYPES
    return bool(shape) and (shape[0] == rows or (whole and np.prod(shape) >= rows))


_INTEGER_TYPES = {schema.TensorType.UINT8, schema.TensorType.INT16, schema.TensorType.INT32}


def check_stored_weights(content: bytes, student: HistoryModel) -> None:
    """Every table and packed weight is in the file, within half a step, and once.

    Args:
        content: The file.
        student: What it was made of, in the form that a file holds (`HistoryModel.compact`).

    Raises:
        ParityError: A weight is missing, differs, or is there twice; or the file writes a whole
            table of whole numbers out in float32 when it is opened.
    """
    _check_no_dequantized_table(content, student.table_rows)
    found = read_item_constants(content, student.table_rows)
    copies = [
        one for one in found if one.values.ndim > 1 and one.values.size >= _MIN_QUANTIZED_SIZE
    ]
    tables = _collect_item_weights(student)
    grows = {id(one) for one in tables}
    for weight in tables:
        values = weight.numpy()
        match = next((one for one in found if _match_values(one, values)), None)
        if match is None:
            raise ParityError(
                f"the file does not hold the student's {weight.name} {list(values.shape)}: it was "
                "stored as other numbers, or not at all"
            )
        # Two weights of the same numbers stand in the file once.
        copies = [one for one in copies if one is not match]
    # A layer may have as many rows as a small catalogue.
    steps = {id(one.int_values) for one in _collect_packed_tables(student)}
    layers = [
        one for one in checkpoint.get_inference_weights(student) if id(one) not in grows | steps
    ]
    for weight in layers:
        layer = next((one for one in copies if one.values.size == int(np.prod(weight.shape))), None)
        copies = [one for one in copies if one is not layer]
    if copies:
        sizes = ", ".join(f"{list(one.values.shape)} in {one.bytes:,} bytes" for one in copies)
        raise ParityError(
            f"the file holds more tables of books than the student has: {sizes}. The converter "
            "made copies: see kd_tf/tflite/passes/share_table.py"
        )


def _collect_item_weights(student: HistoryModel) -> list[tf.Variable]:
    """What grows with the catalogue: tables, and whole numbers."""
    if isinstance(student, WeightedEnsemble):
        return [weight for part in student.members for weight in _collect_item_weights(part)]
    tables = [getattr(student, name) for name in student.quantized_weights]
    packed = {id(one) for one in _collect_packed_tables(student)}
    plain = [one for one in tables if id(one) not in packed]
    weights = [one.embeddings if isinstance(one, QuantizedEmbedding) else one for one in plain]
    floats = {id(one) for one in weights if one.shape[0] == student.table_rows}
    # A file reads the steps of a packed table from the nibbles, which are whole numbers.
    return [
        weight
        for weight in checkpoint.get_inference_weights(student)
        if id(weight) in floats
        or (weight.dtype.is_integer and int(np.prod(weight.shape)) >= student.table_rows)
    ]


def _collect_packed_tables(student: HistoryModel) -> list[QuantizedEmbedding]:
    if isinstance(student, WeightedEnsemble):
        return [table for part in student.members for table in _collect_packed_tables(part)]
    tables = [getattr(student, name) for name in student.quantized_weights]
    return [one for one in tables if isinstance(one, QuantizedEmbedding) and one.is_int4]


def _match_values(stored: Constant, values: np.ndarray) -> bool:
    if stored.values.size != values.size:
        return False
    found = stored.values.reshape(values.shape)
    if not np.issubdtype(values.dtype, np.floating):
        return bool(np.array_equal(found, values))
    # float16 keeps eleven bits; what is below its least number becomes 0.
    rounding = 2**-11 * np.abs(values) + 2**-24 if found.dtype == np.float16 else 0.0
    return bool((np.abs(found - values) <= 0.501 * stored.step + rounding).all())


def _check_no_dequantized_table(content: bytes, rows: int) -> None:
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    for graph in model.subgraphs:
        for operator in graph.operators:
            if (
                get_builtin_code(model.operatorCodes[operator.opcodeIndex])
                not in _DEQUANTIZING_OPERATORS
            ):
                continue
            table = graph.tensors[operator.inputs[0]]
            # No kernel gathers from float16: there the whole table has to be written out.
            whole = table.type != schema.TensorType.FLOAT16 and is_constant(model, table)
            if whole and _has_item_rows(table, rows):
                raise ParityError(
                    f"the file writes {table.shape.tolist()} numbers out in float32 when it is "
                    "opened: the converter changed the order of DEQUANTIZE and GATHER, see "
                    "kd_tf/tflite/passes/share_table.py"
                )


_DEQUANTIZING_OPERATORS = {schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.CAST}

"""Checks that a .tflite file holds each item weight of a student exactly once.

The item table is nearly the whole file. Converters can store copies of it (for gathering, for
multiplying, for each signature), dequantize it to float32 when the file is loaded, or store other
values, all without an error. This module reads the file itself.
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
"""The converter does not quantize smaller tensors; copies of these do not matter."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant tensor of a file.

    Attributes:
        values: The dequantized values, with the shape in the file.
        step: Quantization step; 0 for tensors that are not quantized.
        bytes: Bytes in the file.
    """

    values: np.ndarray
    step: float
    bytes: int


def read_item_constants(content: bytes, rows: int) -> list[Constant]:
    """Reads the constants whose size grows with the catalog.

    These are constants with `rows` rows and integer constants with at least `rows` values. Each
    buffer is read once, however many tensors use it.

    Args:
        content: A .tflite file.
        rows: Rows of the item table, V + 1.

    Returns:
        The constants.

    Raises:
        NotImplementedError: A constant has a type that kd_tf does not export.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    constants: dict[int, Constant] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if not is_constant(model, tensor) or tensor.buffer in constants:
                continue
            # INT4 tensors share the buffer of a UINT8 tensor, which is read instead.
            if not _has_item_rows(tensor, rows) or tensor.type == schema.TensorType.INT4:
                continue
            if tensor.type not in _DTYPES:
                raise NotImplementedError(
                    f"a constant {tensor.shape.tolist()} has the unsupported type {tensor.type}"
                )
            data = np.ascontiguousarray(model.buffers[tensor.buffer].data, np.uint8)
            values = data.view(_DTYPES[tensor.type]).reshape(tensor.shape)
            step = 0.0
            if tensor.type == schema.TensorType.INT8:
                scales = tensor.quantization.scale.astype(np.float32)
                zero_points = tensor.quantization.zeroPoint.astype(np.float32)
                step = float(scales.max())
                per_row = (len(scales), *[1] * (values.ndim - 1))
                values = (values - zero_points.reshape(per_row)) * scales.reshape(per_row)
            constants[tensor.buffer] = Constant(values, step, len(data))
    return list(constants.values())


def _has_item_rows(tensor: schema.TensorT, rows: int) -> bool:
    """Tells whether a tensor's size grows with the catalog."""
    shape = [] if tensor.shape is None else tensor.shape.tolist()
    is_integer = tensor.type in _INTEGER_TYPES
    return bool(shape) and (shape[0] == rows or (is_integer and np.prod(shape) >= rows))


_INTEGER_TYPES = {schema.TensorType.UINT8, schema.TensorType.INT16, schema.TensorType.INT32}


def check_stored_weights(content: bytes, student: HistoryModel) -> None:
    """Checks that each item table and packed weight is in the file once, within half a step.

    Args:
        content: The .tflite file.
        student: The quantized student that the file was converted from
            (see `kd_tf.models.base.HistoryModel.pack`).

    Raises:
        ParityError: A weight is missing, differs or is stored twice, or the runtime would
            dequantize a whole integer table when it loads the file.
    """
    _check_no_dequantized_table(content, student.table_rows)
    constants = read_item_constants(content, student.table_rows)
    copies = [
        constant
        for constant in constants
        if constant.values.ndim > 1 and constant.values.size >= _MIN_QUANTIZED_SIZE
    ]
    item_weights = _collect_item_weights(student)
    item_weight_ids = {id(weight) for weight in item_weights}
    for weight in item_weights:
        values = weight.numpy()
        match = next((constant for constant in constants if _match_values(constant, values)), None)
        if match is None:
            raise ParityError(
                f"the file does not hold the student's {weight.name} {list(values.shape)}: its "
                "values differ or are missing"
            )
        # Two weights with equal values share one constant.
        copies = [constant for constant in copies if constant is not match]
    # A dense layer may have as many rows as a small catalog: its weights are no copies.
    int_values_ids = {id(table.int_values) for table in _collect_packed_tables(student)}
    layer_weights = [
        weight
        for weight in checkpoint.get_inference_weights(student)
        if id(weight) not in item_weight_ids | int_values_ids
    ]
    for weight in layer_weights:
        size = int(np.prod(weight.shape))
        match = next((constant for constant in copies if constant.values.size == size), None)
        copies = [constant for constant in copies if constant is not match]
    if copies:
        sizes = ", ".join(
            f"{list(constant.values.shape)} in {constant.bytes:,} bytes" for constant in copies
        )
        raise ParityError(
            f"the file holds more item tables than the student has: {sizes}. The converter made "
            "copies: see kd_tf/tflite/passes/share_table.py"
        )


def _collect_item_weights(student: HistoryModel) -> list[tf.Variable]:
    """Returns the weights whose size grows with the catalog: tables and packed integers."""
    if isinstance(student, WeightedEnsemble):
        return [weight for member in student.members for weight in _collect_item_weights(member)]
    tables = [getattr(student, name) for name in student.quantized_weights]
    packed_ids = {id(table) for table in _collect_packed_tables(student)}
    float_tables = [
        table.embeddings if isinstance(table, QuantizedEmbedding) else table
        for table in tables
        if id(table) not in packed_ids
    ]
    float_ids = {id(table) for table in float_tables if table.shape[0] == student.table_rows}
    # A file reads the values of a packed table from its nibbles, which are integers.
    return [
        weight
        for weight in checkpoint.get_inference_weights(student)
        if id(weight) in float_ids
        or (weight.dtype.is_integer and int(np.prod(weight.shape)) >= student.table_rows)
    ]


def _collect_packed_tables(student: HistoryModel) -> list[QuantizedEmbedding]:
    """Returns the int4 tables of a student."""
    if isinstance(student, WeightedEnsemble):
        return [table for member in student.members for table in _collect_packed_tables(member)]
    tables = [getattr(student, name) for name in student.quantized_weights]
    return [table for table in tables if isinstance(table, QuantizedEmbedding) and table.is_int4]


def _match_values(constant: Constant, values: np.ndarray) -> bool:
    """Tells whether a constant holds these values, within half a quantization step."""
    if constant.values.size != values.size:
        return False
    file_values = constant.values.reshape(values.shape)
    if not np.issubdtype(values.dtype, np.floating):
        return bool(np.array_equal(file_values, values))
    # float16 has eleven significant bits; values below its smallest number become 0.
    rounding = 2**-11 * np.abs(values) + 2**-24 if file_values.dtype == np.float16 else 0.0
    return bool((np.abs(file_values - values) <= 0.501 * constant.step + rounding).all())


def _check_no_dequantized_table(content: bytes, rows: int) -> None:
    """Checks that no operator dequantizes a whole item table."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    for graph in model.subgraphs:
        for operator in graph.operators:
            if (
                get_builtin_code(model.operatorCodes[operator.opcodeIndex])
                not in _DEQUANTIZING_OPERATORS
            ):
                continue
            table = graph.tensors[operator.inputs[0]]
            # No kernel gathers from float16: such a table must be dequantized as a whole.
            is_avoidable = table.type != schema.TensorType.FLOAT16 and is_constant(model, table)
            if is_avoidable and _has_item_rows(table, rows):
                raise ParityError(
                    f"the file dequantizes a whole table {table.shape.tolist()} to float32: the "
                    "converter changed the order of DEQUANTIZE and GATHER, see "
                    "kd_tf/tflite/passes/share_table.py"
                )


_DEQUANTIZING_OPERATORS = {schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.CAST}

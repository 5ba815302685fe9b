"""Int4 tables in a .tflite file: scoring and gathering read the same packed bytes.

TensorFlow's converter cannot be asked for INT4 weights. A packed
`kd_tf.layers.quantized_embedding.QuantizedEmbedding` therefore reaches the converter twice: as
bytes that GATHER reads, and as integers that a product multiplies, which the converter stores in
eight bits. This pass finds the bytes with the same values, lets FULLY_CONNECTED read them as an
INT4 tensor, and drops the eight-bit copy.

TensorFlow never gave FULLY_CONNECTED with float inputs and INT4 weights a version of its own: an
older runtime would read the nibbles as bytes. This pass sets version 11, which only later runtimes
accept.
"""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kd_tf.tflite.passes.flatbuffer import (
    find_or_add_operator_code,
    get_builtin_code,
    is_constant,
    merge_equal_buffers,
    pack,
)

_INT4_FULLY_CONNECTED_VERSION = 11
"""Version of FULLY_CONNECTED. Runtimes accept it since 2.15; float inputs with INT4 weights work
since 2.13."""

_INT8_MAX, _INT4_MAX = 127, 7
"""Largest quantized values, for symmetric quantization."""


def share_int4_tables(content: bytes, rows: int) -> bytes:
    """Lets every product over a packed int4 table read the packed bytes.

    Args:
        content: A .tflite file from the converter.
        rows: Rows of the table, V + 1, which tell it from other bytes.

    Returns:
        The changed file; `content` itself if it has no packed table.

    Raises:
        NotImplementedError: The file has a packed table, but its product was not found. The
            converter may have changed.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    packed_tables = _find_packed_tables(model, rows)
    if not packed_tables:
        return content
    shared_buffers = set()
    for graph in model.subgraphs:
        for index, tensor in enumerate(graph.tensors):
            buffer = _find_equal_table(model, tensor, packed_tables)
            consumers = [operator for operator in graph.operators if index in operator.inputs]
            if buffer is None or not consumers:
                continue
            shared_buffers.add(buffer)
            if tensor.type == schema.TensorType.FLOAT32:
                continue  # the converter does not quantize tensors of fewer than 1,024 values
            codes = {
                get_builtin_code(model.operatorCodes[operator.opcodeIndex])
                for operator in consumers
            }
            if codes != {schema.BuiltinOperator.FULLY_CONNECTED}:
                raise NotImplementedError(
                    f"builtin operators {sorted(codes)} read an int4 table; only FULLY_CONNECTED "
                    "is supported"
                )
            quantization = copy.copy(tensor.quantization)
            quantization.scale = tensor.quantization.scale * np.float32(_INT8_MAX / _INT4_MAX)
            tensor.quantization = quantization
            tensor.type, tensor.buffer = schema.TensorType.INT4, buffer
            for operator in consumers:
                operator.opcodeIndex = find_or_add_operator_code(
                    model, schema.BuiltinOperator.FULLY_CONNECTED, _INT4_FULLY_CONNECTED_VERSION
                )
    if shared_buffers != set(packed_tables):
        raise NotImplementedError(
            "the file has an int4 table, but no product reads it: the converter changed how it "
            "stores weights, see kd_tf/tflite/passes/int4_table.py"
        )
    merge_equal_buffers(model)
    return pack(model)


def unpack_int4(packed_bytes: np.ndarray) -> np.ndarray:
    """Unpacks two int4 values per byte, the lower half first.

    Args:
        packed_bytes: uint8 [n, d].

    Returns:
        int8 [n, 2 d], values from -8 to 7.

    Example:
        >>> unpack_int4(np.array([[0x1F, 0x80]], np.uint8)).tolist()
        [[-1, 1, 0, -8]]
    """
    nibbles = np.stack([packed_bytes & 15, packed_bytes >> 4], axis=-1).astype(np.int8)
    signed_values = np.where(nibbles < 8, nibbles, nibbles - 16)
    return np.asarray(signed_values.reshape(len(packed_bytes), -1), np.int8)


def _find_packed_tables(model: schema.ModelT, rows: int) -> dict[int, np.ndarray]:
    """Returns the int4 values of each constant uint8 matrix that GATHER reads, by buffer."""
    tables = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            if (
                get_builtin_code(model.operatorCodes[operator.opcodeIndex])
                != schema.BuiltinOperator.GATHER
            ):
                continue
            tensor = graph.tensors[operator.inputs[0]]
            is_byte_matrix = tensor.type == schema.TensorType.UINT8 and len(tensor.shape) == 2
            is_table = is_byte_matrix and tensor.shape[0] == rows
            if is_table and is_constant(model, tensor) and tensor.buffer not in tables:
                tables[tensor.buffer] = unpack_int4(_read_values(model, tensor, np.uint8))
    return tables


def _find_equal_table(
    model: schema.ModelT, weights: schema.TensorT, packed_tables: dict[int, np.ndarray]
) -> int | None:
    """Returns the buffer of the packed table with the same values as `weights`, or None."""
    if not is_constant(model, weights) or len(weights.shape) != 2:
        return None
    if weights.type == schema.TensorType.INT8:
        values = _read_values(model, weights, np.int8) * (_INT4_MAX / _INT8_MAX)
    elif weights.type == schema.TensorType.FLOAT32:
        values = _read_values(model, weights, np.float32)
    else:
        return None
    for buffer, table in packed_tables.items():
        # Rounding to int8 changes a value by at most half an int8 step: 7 / 127 / 2 = 0.03.
        if table.shape == values.shape and np.abs(values - table).max() < 0.05:
            return buffer
    return None


def _read_values(model: schema.ModelT, tensor: schema.TensorT, dtype: type) -> np.ndarray:
    """Returns the stored values of a constant tensor."""
    data = np.ascontiguousarray(model.buffers[tensor.buffer].data, np.uint8)
    return data.view(dtype).reshape(tensor.shape)

"""Four-bit tables in a .tflite: products read the bytes that rows are taken from.

TensorFlow's converter has no way to ask for INT4 weights. A packed `BookTable` therefore reaches it
twice, as bytes that GATHER reads and as whole numbers that a product multiplies with, which the
converter stores in eight bits. This pass finds the bytes that hold the same numbers and lets
FULLY_CONNECTED read them as an INT4 tensor; the eight-bit copy goes.

FULLY_CONNECTED on float inputs and INT4 weights never got a version of its own in TensorFlow:
a runtime from before it existed would read the nibbles as bytes. The version that is set here,
11, is one that only later runtimes accept.
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
"""Of FULLY_CONNECTED: known since 2.15; float inputs with INT4 weights work since 2.13."""

_INT8_MAX, _INT4_MAX = 127, 7


def share_int4_tables(content: bytes, rows: int) -> bytes:
    """The same model with every product over a packed table reading that table.

    Args:
        content: A .tflite from the converter. Models without packed tables are given back as
            they are.
        rows: V + 1, what tells a table from other bytes.

    Raises:
        NotImplementedError: A packed table is there, but no product over it was found, as after
            a change of the converter.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    packed = _find_packed_tables(model, rows)
    if not packed:
        return content
    shared = set()
    for graph in model.subgraphs:
        for index, tensor in enumerate(graph.tensors):
            buffer = _find_equal_table(model, tensor, packed)
            users = [operator for operator in graph.operators if index in operator.inputs]
            if buffer is None or not users:
                continue
            shared.add(buffer)
            if tensor.type == schema.TensorType.FLOAT32:
                continue  # fewer than 1,024 numbers: the converter leaves them as they are
            kinds = {get_builtin_code(model.operatorCodes[one.opcodeIndex]) for one in users}
            if kinds != {schema.BuiltinOperator.FULLY_CONNECTED}:
                raise NotImplementedError(
                    f"builtin operators {sorted(kinds)} read a table of four-bit numbers, where "
                    "only products may"
                )
            quantization = copy.copy(tensor.quantization)
            quantization.scale = tensor.quantization.scale * np.float32(_INT8_MAX / _INT4_MAX)
            tensor.quantization = quantization
            tensor.type, tensor.buffer = schema.TensorType.INT4, buffer
            for one in users:
                one.opcodeIndex = find_or_add_operator_code(
                    model, schema.BuiltinOperator.FULLY_CONNECTED, _INT4_FULLY_CONNECTED_VERSION
                )
    if shared != set(packed):
        raise NotImplementedError(
            "a table of four-bit numbers is in the file, but no product reads it: the converter "
            "changed how it stores weights, look at kd_tf/tflite/passes/int4_table.py"
        )
    merge_equal_buffers(model)
    return pack(model)


def unpack_int4(packed: np.ndarray) -> np.ndarray:
    """int8 [n, 2 d], the whole numbers from -8 to 7 of uint8 [n, d], the lower half first."""
    halves = np.stack([packed & 15, packed >> 4], axis=-1).astype(np.int8)
    signed = np.where(halves < 8, halves, halves - 16)
    return np.asarray(signed.reshape(len(packed), -1), np.int8)


def _find_packed_tables(model: schema.ModelT, rows: int) -> dict[int, np.ndarray]:
    """The numbers of each constant uint8 matrix that GATHER reads, by its buffer."""
    found = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            if (
                get_builtin_code(model.operatorCodes[operator.opcodeIndex])
                != schema.BuiltinOperator.GATHER
            ):
                continue
            tensor = graph.tensors[operator.inputs[0]]
            bytes_of_rows = tensor.type == schema.TensorType.UINT8 and len(tensor.shape) == 2
            table = bytes_of_rows and tensor.shape[0] == rows
            if table and is_constant(model, tensor) and tensor.buffer not in found:
                found[tensor.buffer] = unpack_int4(_read_values(model, tensor, np.uint8))
    return found


def _find_equal_table(
    model: schema.ModelT, weights: schema.TensorT, packed: dict[int, np.ndarray]
) -> int | None:
    if not is_constant(model, weights) or len(weights.shape) != 2:
        return None
    if weights.type == schema.TensorType.INT8:
        steps = _read_values(model, weights, np.int8) * (_INT4_MAX / _INT8_MAX)
    elif weights.type == schema.TensorType.FLOAT32:
        steps = _read_values(model, weights, np.float32)
    else:
        return None
    for buffer, numbers in packed.items():
        # Rounded to bytes a number is off by at most half a byte's step.
        if numbers.shape == steps.shape and np.abs(steps - numbers).max() < 0.05:
            return buffer
    return None


def _read_values(model: schema.ModelT, tensor: schema.TensorT, kind: type) -> np.ndarray:
    data = np.ascontiguousarray(model.buffers[tensor.buffer].data, np.uint8)
    return data.view(kind).reshape(tensor.shape)

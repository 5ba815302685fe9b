"""Checks a .tflite file before an interpreter sees it, because the interpreter trusts the file.

TensorFlow Lite reads and writes where the file tells it to: one wrong byte can end the process or
overwrite its memory. Here every offset, index, shape and buffer is checked, and only the operators
that kd_tf exports are let through, with their inputs as the kernels assume them. The schema is
TensorFlow Lite's ``schema.fbs``, version 3.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kd_tf.runtime.flatbuffer_check import Field, FlatBuffer, StructureError
from kd_tf.runtime.operator_check import (
    MAX_ELEMENTS,
    OPERATORS,
    SHAPE_ARGUMENTS,
    SIZING_OPERATORS,
    check_operator,
    get_operator_number,
)

SCHEMA_VERSION = 3

MAX_DIMENSIONS = 6
"""Most dimensions of a tensor; kd_tf writes at most 5."""

MAX_WORKING_BYTES = 2**30
"""Most memory for the tensors of one signature that are not in the file."""

ITEM_BITS = {0: 32, 1: 16, 2: 32, 3: 8, 4: 64, 6: 8, 7: 16, 9: 8, 17: 4}
"""Bits of a number by its type in the schema: float32, float16, int32, uint8, int64, bool, int16,
int8 and int4; no others are exported."""

MAX_NAME = 64
"""Longest name of a signature or of its tensors."""

MAX_SCALE = 1e9
"""Largest scale of quantized numbers; the smallest one of a result is its inverse."""

MIN_SCALE = 2.0**-126
"""Smallest scale of a constant apart from 0: the smallest normal float32, as XNNPACK requires."""

ZERO_POINTS = {9: (-128, 127), 17: (-8, 7)}
"""Range of zero points by type, for int8 and int4; other types have none."""

_FUSED = Field("fused_activation_function", "int8")
SCHEMA: dict[str, tuple[Field, ...]] = {
    "Model": (
        Field("version", "uint32"),
        Field("operator_codes", "[OperatorCode]"),
        Field("subgraphs", "[SubGraph]"),
        Field("description", "string"),
        Field("buffers", "[Buffer]"),
        Field("metadata_buffer", "[int32]"),
        Field("metadata", "[Metadata]"),
        Field("signature_defs", "[SignatureDef]"),
    ),
    "OperatorCode": (
        Field("deprecated_builtin_code", "int8"),
        Field("custom_code", "string"),
        Field("version", "int32", 1),
        Field("builtin_code", "int32"),
    ),
    "SubGraph": (
        Field("tensors", "[Tensor]"),
        Field("inputs", "[int32]"),
        Field("outputs", "[int32]"),
        Field("operators", "[Operator]"),
        Field("name", "string"),
    ),
    "Tensor": (
        Field("shape", "[int32]"),
        Field("type", "int8"),
        Field("buffer", "uint32"),
        Field("name", "string"),
        Field("quantization", "Quantization"),
        Field("is_variable", "bool"),
        Field("sparsity", "refused"),
        Field("shape_signature", "[int32]"),
        Field("has_rank", "bool"),
        Field("variant_tensors", "refused"),
    ),
    "Quantization": (
        Field("min", "[float32]"),
        Field("max", "[float32]"),
        Field("scale", "[float32]"),
        Field("zero_point", "[int64]"),
        Field("details_type", "uint8"),
        Field("details", "refused"),
        Field("quantized_dimension", "int32"),
    ),
    "Operator": (
        Field("opcode_index", "uint32"),
        Field("inputs", "[int32]"),
        Field("outputs", "[int32]"),
        Field("options_type", "uint8"),
        Field("options", "union"),
        Field("custom_options", "[uint8]"),
        Field("custom_options_format", "int8"),
        Field("mutating_variable_inputs", "refused"),
        Field("intermediates", "refused"),
        Field("large_custom_options_offset", "uint64"),
        Field("large_custom_options_size", "uint64"),
    ),
    "Buffer": (Field("data", "[uint8]"), Field("offset", "uint64"), Field("size", "uint64")),
    "Metadata": (Field("name", "string"), Field("buffer", "uint32")),
    "SignatureDef": (
        Field("inputs", "[TensorMap]"),
        Field("outputs", "[TensorMap]"),
        Field("signature_key", "string"),
        Field("deprecated_tag", "refused"),
        Field("subgraph_index", "uint32"),
    ),
    "TensorMap": (Field("name", "string"), Field("tensor_index", "uint32")),
    "NoOptions": (),
    "FusedOptions": (_FUSED, Field("pot_scale_int16", "bool", True)),
    "TypeOptions": (Field("type", "int8"), Field("output_type", "int8")),
    "MatMulOptions": (
        Field("adj_x", "bool"),
        Field("adj_y", "bool"),
        Field("asymmetric_quantize_inputs", "bool"),
    ),
    "ConcatenationOptions": (Field("axis", "int32"), _FUSED),
    "Conv2DOptions": (
        Field("padding", "int8"),
        Field("stride_w", "int32"),
        Field("stride_h", "int32"),
        _FUSED,
        Field("dilation_w_factor", "int32", 1),
        Field("dilation_h_factor", "int32", 1),
        Field("quantized_bias_type", "int8"),
    ),
    "CumsumOptions": (Field("exclusive", "bool"), Field("reverse", "bool")),
    "FullyConnectedOptions": (
        _FUSED,
        Field("weights_format", "int8"),
        Field("keep_num_dims", "bool"),
        Field("asymmetric_quantize_inputs", "bool"),
        Field("quantized_bias_type", "int8"),
        Field("quant_spec", "refused"),
    ),
    "GatherOptions": (Field("axis", "int32"), Field("batch_dims", "int32")),
    "PackOptions": (Field("count", "int32"), Field("axis", "int32")),
    "ReducerOptions": (Field("keep_dims", "bool"),),
    "SoftmaxOptions": (Field("beta", "float32"),),
    "StridedSliceOptions": (
        Field("begin_mask", "int32"),
        Field("end_mask", "int32"),
        Field("ellipsis_mask", "int32"),
        Field("new_axis_mask", "int32"),
        Field("shrink_axis_mask", "int32"),
        Field("offset", "bool"),
    ),
    "ShapeOptions": (Field("shape", "[int32]"),),
    "AxisOptions": (Field("axis", "int32"),),
}

UNIONS = {
    "options": {
        1: "Conv2DOptions",
        8: "FullyConnectedOptions",
        9: "SoftmaxOptions",
        10: "ConcatenationOptions",
        17: "ShapeOptions",
        23: "GatherOptions",
        27: "ReducerOptions",
        30: "ShapeOptions",
        32: "StridedSliceOptions",
        59: "PackOptions",
        61: "AxisOptions",
        64: "PackOptions",
        101: "MatMulOptions",
        102: "CumsumOptions",
        **dict.fromkeys((11, 12, 21, 28, 29), "FusedOptions"),
        **dict.fromkeys((37, 40, 55, 57), "TypeOptions"),
        **dict.fromkeys(
            (
                *(
                    22,
                    26,
                    33,
                    34,
                    38,
                    39,
                    41,
                    42,
                    44,
                    45,
                    46,
                    47,
                    48,
                    51,
                    52,
                    53,
                    54,
                    56,
                    60,
                    62,
                    63,
                ),
                *(65, 66, 67, 68, 72, 73, 78, 82, 83, 85, 89, 97, 98, 104),
            ),
            "NoOptions",
        ),
    }
}
"""Table of an operator's options by their type in the schema's union ``BuiltinOptions``."""


def check_model(content: bytes | mmap.mmap) -> dict[str, Any]:
    """Checks the structure of a .tflite file and what its kernels take for granted.

    Args:
        content: The file.

    Returns:
        The parsed model: the tables of the schema as dictionaries.

    Raises:
        StructureError: The file is damaged or was made to do harm, or it has what kd_tf never
            exports.

    Example:
        >>> check_model(b"    TFL3")
        Traceback (most recent call last):
        ...
        kd_tf.runtime.flatbuffer_check.StructureError: byte 538,976,288 is outside the file
    """
    model = FlatBuffer(content, SCHEMA, UNIONS).parse("Model")
    _require(model["version"] == SCHEMA_VERSION, f"schema version {model['version']}")
    buffers = model["buffers"]
    _require(bool(buffers) and not len(buffers[0]["data"]), "buffer 0 is not empty")
    for buffer in buffers:
        _require(not buffer["offset"] and not buffer["size"], "a buffer lies outside the file")
    for entry in model["metadata"]:
        _require(entry["buffer"] < len(buffers), "metadata without a buffer")
    codes = [_get_operator_name(code) for code in model["operator_codes"]]
    _require(bool(model["subgraphs"]), "there is no graph")
    for graph in model["subgraphs"]:
        _check_graph(graph, buffers, codes)
    keys = [signature["signature_key"] for signature in model["signature_defs"]]
    _check_names(keys, "signatures")
    for signature in model["signature_defs"]:
        _require(signature["subgraph_index"] < len(model["subgraphs"]), "signature without a graph")
        graph = model["subgraphs"][signature["subgraph_index"]]
        for part in ("inputs", "outputs"):
            names = [entry["name"] for entry in signature[part]]
            _check_names(names, part)
            indices = [entry["tensor_index"] for entry in signature[part]]
            _require(sorted(indices) == sorted(graph[part]), f"{part} are not those of the graph")
    return model


TYPE_NAMES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool"} | {
    7: "int16",
    9: "int8",
    17: "int4",
}
"""Names of the types of the schema."""

MIN_WEIGHTS = 64
"""A constant tensor with fewer numbers is an argument of an operator, not weights."""


def find_weight_types(model: Mapping[str, Any]) -> frozenset[str]:
    """Finds the types of a model's weights.

    Args:
        model: The parsed model, from `check_model`.
    """
    return frozenset(
        TYPE_NAMES[tensor["type"]]
        for graph in model["subgraphs"]
        for tensor in graph["tensors"]
        if tensor["is_constant"] and math.prod(tensor["shape"]) >= MIN_WEIGHTS
    )


def _check_names(names: Sequence[str | None], what: str) -> None:
    """Checks that all names differ and are plain words."""
    are_words = all(
        name is not None and name.isascii() and name.isidentifier() and len(name) <= MAX_NAME
        for name in names
    )
    _require(are_words and len(set(names)) == len(names), f"{what} of the names {names}")


def _require(condition: bool, fault: str) -> None:
    if not condition:
        raise StructureError(fault)


def _get_operator_name(code: Mapping[str, Any]) -> str:
    """Returns the name of an operator that kd_tf exports."""
    if code["custom_code"] is not None:
        raise StructureError(
            f"it has the custom operator {code['custom_code']!r}, and kd_tf exports models with "
            "built-in operators only"
        )
    number = get_operator_number(code)
    name = OPERATORS.get(number)
    if name is None:
        raise StructureError(f"operator number {number}, which kd_tf never exports")
    return name


def _check_graph(
    graph: Mapping[str, Any], buffers: Sequence[Mapping[str, Any]], codes: Sequence[str]
) -> None:
    """Checks the tensors of a graph, and that every operator reads what is there already."""
    tensors = graph["tensors"]
    working_bytes = 0
    for tensor in tensors:
        working_bytes += _check_tensor(tensor, buffers)
    _require(working_bytes <= MAX_WORKING_BYTES, f"{working_bytes:,} bytes of working memory")
    inputs = graph["inputs"]
    _require(all(0 <= index < len(tensors) for index in inputs), "an input is no tensor")
    _require(len(set(inputs)) == len(inputs), "a tensor is an input twice")
    _require(not any(tensors[index]["is_constant"] for index in inputs), "an input is constant")
    available = {index for index, tensor in enumerate(tensors) if tensor["is_constant"]} | set(
        inputs
    )
    for operator in graph["operators"]:
        _require(operator["opcode_index"] < len(codes), "an operator has no code")
        _require(
            not len(operator["custom_options"])
            and not operator["large_custom_options_offset"]
            and not operator["large_custom_options_size"],
            "an operator has custom options",
        )
        name = codes[operator["opcode_index"]]
        _require(
            all(index == -1 or index in available for index in operator["inputs"]),
            f"{name} reads a tensor that is not there yet",
        )
        for index in operator["outputs"]:
            _require(
                0 <= index < len(tensors) and index not in available,
                f"{name} writes to a tensor that is in use",
            )
            available.add(index)
        check_operator(name, operator, tensors)
    _check_computed_sizes(graph, codes)
    _require(all(index in available for index in graph["outputs"]), "an output is never computed")
    _require(len(set(graph["outputs"])) == len(graph["outputs"]), "a tensor is an output twice")


def _check_computed_sizes(graph: Mapping[str, Any], codes: Sequence[str]) -> None:
    """Checks that sizes that a graph computes cannot be far larger than what the file holds.

    Additive students look up where the entries of an item begin and end, and how many there are is
    the size of the next tensors. Such a number points into a table, so it is never larger than the
    number of bits of the largest one.
    """
    tensors = graph["tensors"]
    producers = {
        index: operator for operator in graph["operators"] for index in operator["outputs"]
    }
    limit = 8 * max((len(tensor["data"]) for tensor in tensors if tensor["is_constant"]), default=0)
    indices: list[int] = []
    for operator in graph["operators"]:
        name = codes[operator["opcode_index"]]
        arguments = range(3) if name == "RANGE" else SHAPE_ARGUMENTS.get(name, ())
        if name in SIZING_OPERATORS:
            indices += [operator["inputs"][position] for position in arguments]
    visited_tensors: set[int] = set()
    while indices:
        index = indices.pop()
        if index in visited_tensors or index < 0:
            continue
        visited_tensors.add(index)
        if index in producers:
            indices += producers[index]["inputs"]
        elif tensors[index]["is_constant"] and tensors[index]["type"] in _INTEGER_TYPES:
            numbers = np.frombuffer(tensors[index]["data"], _INTEGER_TYPES[tensors[index]["type"]])
            largest = int(np.abs(numbers.astype(np.int64)).max(initial=0))
            _require(largest <= limit, f"a size is computed from the number {largest:,}")


_INTEGER_TYPES = {2: "<i4", 4: "<i8"}
"""int32 and int64 by their types in the schema, as NumPy names them."""


def _check_tensor(tensor: dict[str, Any], buffers: Sequence[Mapping[str, Any]]) -> int:
    """Checks a tensor, adds ``is_constant`` and ``data``, and returns its bytes not in the file."""
    shape = tensor["shape"]
    _require(tensor["type"] in ITEM_BITS, f"a tensor of type {tensor['type']}")
    _require(len(shape) <= MAX_DIMENSIONS, f"a tensor of {len(shape)} dimensions")
    _require(all(size >= 0 for size in shape), f"a tensor of shape {shape}")
    num_elements = math.prod(shape)
    _require(num_elements <= MAX_ELEMENTS, f"a tensor of shape {shape}")
    signature = tensor["shape_signature"]
    _require(
        not signature
        or (
            len(signature) == len(shape)
            and all(a in (-1, b) for a, b in zip(signature, shape, strict=True))
        ),
        f"a tensor of shape {shape} has the shape signature {signature}",
    )
    _require(not tensor["is_variable"], "a variable tensor")
    _require(tensor["buffer"] < len(buffers), "a tensor has no buffer")
    data = buffers[tensor["buffer"]]["data"]
    num_bytes = (num_elements * ITEM_BITS[tensor["type"]] + 7) // 8
    tensor["is_constant"] = len(data) > 0
    tensor["data"] = data
    if len(data) > 0:
        _require(len(data) == num_bytes, f"{len(data):,} bytes for a tensor of shape {shape}")
    quantization = tensor["quantization"]
    if quantization is not None:
        _check_quantization(quantization, tensor)
    return 0 if len(data) else num_bytes


def _check_quantization(quantization: Mapping[str, Any], tensor: Mapping[str, Any]) -> None:
    """Checks that there is one scale, or one for each row along the quantized dimension."""
    scales, zero_points, shape = quantization["scale"], quantization["zero_point"], tensor["shape"]
    _require(quantization["details_type"] == 0, "a quantization of another kind")
    _require(len(zero_points) in (len(scales), 0), "scales without zero points")
    # A row of zeros may have the scale 0. Kernels divide by the scale of what they compute.
    is_constant = tensor["is_constant"]
    smallest = MIN_SCALE if is_constant else 1 / MAX_SCALE
    _require(
        all(smallest <= scale <= MAX_SCALE or (is_constant and scale == 0) for scale in scales),
        "a scale out of range",
    )
    low, high = ZERO_POINTS.get(tensor["type"], (0, 0))
    _require(all(low <= point <= high for point in zero_points), "a zero point out of range")
    if len(scales) > 1:
        dimension = quantization["quantized_dimension"]
        _require(
            0 <= dimension < len(shape) and shape[dimension] == len(scales),
            f"{len(scales)} scales for a tensor of shape {shape}",
        )

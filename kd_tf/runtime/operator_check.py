"""Checks the operators of a .tflite file: which there are, and the types of their tensors."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from kd_tf.runtime.flatbuffer_check import StructureError

OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    6: "DEQUANTIZE",
    7: "EMBEDDING_LOOKUP",
    9: "FULLY_CONNECTED",
    11: "L2_NORMALIZATION",
    14: "LOGISTIC",
    18: "MUL",
    22: "RESHAPE",
    25: "SOFTMAX",
    28: "TANH",
    34: "PAD",
    36: "GATHER",
    39: "TRANSPOSE",
    40: "MEAN",
    41: "SUB",
    42: "DIV",
    43: "SQUEEZE",
    45: "STRIDED_SLICE",
    47: "EXP",
    48: "TOPK_V2",
    53: "CAST",
    55: "MAXIMUM",
    56: "ARG_MAX",
    57: "MINIMUM",
    58: "LESS",
    59: "NEG",
    61: "GREATER",
    62: "GREATER_EQUAL",
    63: "LESS_EQUAL",
    64: "SELECT",
    65: "SLICE",
    69: "TILE",
    70: "EXPAND_DIMS",
    71: "EQUAL",
    72: "NOT_EQUAL",
    73: "LOG",
    74: "SUM",
    75: "SQRT",
    76: "RSQRT",
    77: "SHAPE",
    78: "POW",
    82: "REDUCE_MAX",
    83: "PACK",
    84: "LOGICAL_OR",
    85: "ONE_HOT",
    86: "LOGICAL_AND",
    87: "LOGICAL_NOT",
    88: "UNPACK",
    89: "REDUCE_MIN",
    90: "FLOOR_DIV",
    91: "REDUCE_ANY",
    92: "SQUARE",
    93: "ZEROS_LIKE",
    94: "FILL",
    95: "FLOOR_MOD",
    96: "RANGE",
    101: "ABS",
    106: "ADD_N",
    107: "GATHER_ND",
    109: "WHERE",
    114: "QUANTIZE",
    122: "SCATTER_ND",
    123: "SELECT_V2",
    126: "BATCH_MATMUL",
    128: "CUMSUM",
    130: "BROADCAST_TO",
}
"""The operators that kd_tf exports, by their number in the schema."""

_TYPE_LETTERS = {0: "f", 1: "h", 2: "i", 3: "u", 4: "l", 6: "b", 7: "s", 9: "q", 17: "n"}
"""float32, float16 (half), int32, uint8, int64 (long), bool, int16 (short), int8 (quantized), int4
(nibble)."""

_ANY = "fiubql"
"""Types that operators move without looking at their numbers."""

_ONE_OF_ANY = " ".join(f"{letter}>{letter}" for letter in _ANY)
_MOVE = " ".join(f"{letter}i>{letter}" for letter in _ANY)
_MANY_TO_ONE = " ".join(f"{letter}*>{letter}" for letter in _ANY)
_UNARY = "f>f q>q i>i"
_ARITHMETIC = "ff>f ii>i ll>l qq>q"
_COMPARISON = "ff>b ii>b ll>b qq>b"
_REDUCTION = "fi>f ii>i li>l qi>q"

TYPES: dict[str, str] = {
    **dict.fromkeys(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"), _ARITHMETIC),
    **dict.fromkeys(("DIV", "FLOOR_DIV", "FLOOR_MOD", "POW"), "ff>f ii>i"),
    **dict.fromkeys(("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), _COMPARISON),
    **dict.fromkeys(("EQUAL", "NOT_EQUAL"), f"{_COMPARISON} bb>b"),
    **dict.fromkeys(("LOGICAL_AND", "LOGICAL_OR"), "bb>b"),
    **dict.fromkeys(("ABS", "EXP", "L2_NORMALIZATION", "LOG", "LOGISTIC", "NEG", "RSQRT"), _UNARY),
    **dict.fromkeys(("SOFTMAX", "SQRT", "SQUARE", "TANH"), _UNARY),
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), _REDUCTION),
    **dict.fromkeys(("EXPAND_DIMS", "PAD", "RESHAPE", "TILE", "TRANSPOSE"), _MOVE),
    **dict.fromkeys(
        ("GATHER", "GATHER_ND"),
        f"{_MOVE} {' '.join(f'{letter}l>{letter}' for letter in _ANY)} si>s",
    ),
    **dict.fromkeys(("SQUEEZE", "ZEROS_LIKE"), _ONE_OF_ANY),
    **dict.fromkeys(("SELECT", "SELECT_V2"), " ".join(f"b{x}{x}>{x}" for x in _ANY)),
    **dict.fromkeys(("CONCATENATION", "PACK"), _MANY_TO_ONE),
    "ADD_N": "f*>f i*>i",
    "ARG_MAX": "fi>i ii>i qi>i",
    "BATCH_MATMUL": "ff>f fq>f qq>q",
    "BROADCAST_TO": _MOVE,
    "CAST": "b>f b>i f>i f>b f>h h>f i>f i>b i>l i>u l>i l>f s>i u>f u>i u>b q>f q>i i>q",
    "CONV_2D": "fff>f ff->f fqf>f fq->f qqi>q qq->q",
    "CUMSUM": "fi>f ii>i",
    "DEQUANTIZE": "h>f q>f u>f",
    "EMBEDDING_LOOKUP": "if>f iq>f in>f",
    "FILL": " ".join(f"i{letter}>{letter}" for letter in _ANY),
    "FULLY_CONNECTED": "fff>f ff->f fqf>f fq->f fnf>f fn->f qqi>q qq->q qni>q qn->q",
    "LOGICAL_NOT": "b>b",
    "ONE_HOT": " ".join(f"ii{letter}{letter}>{letter}" for letter in _ANY),
    "QUANTIZE": "f>q q>q",
    "RANGE": "iii>i fff>f",
    "REDUCE_ANY": "bi>b",
    "SCATTER_ND": " ".join(f"i{letter}i>{letter}" for letter in _ANY),
    "SHAPE": " ".join(f"{letter}>i" for letter in _ANY),
    "SLICE": " ".join(f"{letter}ii>{letter}" for letter in _ANY),
    "STRIDED_SLICE": " ".join(f"{letter}iii>{letter}" for letter in _ANY),
    "TOPK_V2": "fi>fi ii>ii qi>qi",
    "UNPACK": " ".join(f"{letter}>{letter}*" for letter in _ANY),
    "WHERE": "b>l",
}
"""Types of inputs and outputs that an operator may have, ``inputs>outputs`` with a letter each: a
star stands for any number of the letter before it, a dash for a bias that is not there."""

_PATTERNS = {
    name: re.compile("|".join(f"(?:{types})" for types in text.split()))
    for name, text in TYPES.items()
}

_MAX_TENSORS = 64
"""Most inputs or outputs of an operator."""


SHAPE_ARGUMENTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("BROADCAST_TO", "EXPAND_DIMS", "RESHAPE", "TILE", "TRANSPOSE"), (1,)),
    **dict.fromkeys(("ARG_MAX", "CUMSUM", "PAD", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN"), (1,)),
    **dict.fromkeys(("MEAN", "SUM", "TOPK_V2"), (1,)),
    "FILL": (0,),
    "SCATTER_ND": (2,),
    "SLICE": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
}
"""Positions of the inputs that say a shape, axes, or a number per axis. Kernels make room for a few
numbers and do not count them."""

MAX_AXES = 6
"""Most axes that an argument may name."""

MAX_ELEMENTS = 2**31 - 1
"""Most numbers in a tensor; kernels count them in 32 bits."""

_GROWING = ("BROADCAST_TO", "FILL", "PAD", "SCATTER_ND", "TILE")

SIZING_OPERATORS = (*_GROWING, "RANGE")
"""Operators whose result is as large as the numbers in an input say."""

MAX_GROWTH = 2**26
"""Most numbers of a tensor that an argument alone makes large, by the operators above. That is a
million items 64 times."""

_QUANTIZED = (9, 17)
"""int8 and int4 by their numbers in the schema."""

_MOVING = frozenset(name for name, types in TYPES.items() if "u" in types)
"""Operators that also take uint8, which has no scale in these files. All others need one."""

_COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")

_WEIGHTS = {"CONV_2D": 1, "EMBEDDING_LOOKUP": 1, "FULLY_CONNECTED": 1}
"""Position of the constant input that may have a scale per row, and 0 for a row of zeros. All other
kernels read one scale, which is 0 where a tensor has several."""

MAX_SUM_RATIO = 2.0**18
"""Largest scale of a summand, as a multiple of the scale of the sum. Kernels end the process from
2^19 on."""

MAX_PRODUCT_RATIO = 2.0**7
"""Largest product of the scales of two matrices, as a multiple of the scale of their product. From
2^8 on XNNPACK refuses to prepare constant matrices, and reads them all the same."""

MIN_SOFTMAX_SCALE = 2.0**-26
"""Limit of scale times beta; from here down the reference kernel ends the process."""


def get_operator_number(code: Mapping[str, Any]) -> int:
    """Returns the number of an operator; files from before 2020 have it in another field."""
    return max(int(code["builtin_code"]), int(code["deprecated_builtin_code"]))


def check_operator(
    name: str, operator: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]]
) -> None:
    """Checks number and types of an operator's tensors, which some kernels take for granted.

    Args:
        name: Name of the operator, one of `OPERATORS`.
        operator: The parsed operator.
        tensors: The parsed tensors of its graph.

    Raises:
        StructureError: kd_tf exports no operator like that.
    """
    inputs, outputs = operator["inputs"], operator["outputs"]
    if max(len(inputs), len(outputs)) > _MAX_TENSORS:
        raise StructureError(f"{name} with {len(inputs)} inputs and {len(outputs)} outputs")
    types = ">".join(
        "".join("-" if index == -1 else _TYPE_LETTERS[tensors[index]["type"]] for index in part)
        for part in (inputs, outputs)
    )
    if not _PATTERNS[name].fullmatch(types):
        raise StructureError(f"{name} with tensors of the types {types}")
    _check_scales(name, operator, tensors)
    for position in SHAPE_ARGUMENTS.get(name, ()):
        _check_shape_argument(name, position, tensors[inputs[position]])


def _check_scales(
    name: str, operator: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]]
) -> None:
    """Checks the scales of int8 numbers, from which kernels compute fixed-point multipliers.

    For a multiplier out of range LiteRT returns no error: ``TFLITE_CHECK`` ends the process, in
    ``QuantizeMultiplier`` and its relatives (quantization_util.cc).
    """
    inputs = [tensors[index] for index in operator["inputs"] if index != -1]
    if name in _WEIGHTS and inputs[_WEIGHTS[name]]["is_constant"]:
        del inputs[_WEIGHTS[name]]
    scales = _get_scales(name, inputs)
    result_scales = _get_scales(name, [tensors[index] for index in operator["outputs"]])
    is_in_range = True
    if name in ("ADD", "SUB") and scales:
        is_in_range = max(scales) <= MAX_SUM_RATIO * result_scales[0]
    elif name == "BATCH_MATMUL" and result_scales:
        is_in_range = math.prod(scales) <= MAX_PRODUCT_RATIO * result_scales[0]
    elif name in _COMPARISONS:
        # Kernels have a branch for scales below 1 and one for those above.
        is_in_range = 1.0 not in scales
    elif name == "SOFTMAX" and scales:
        beta = (operator["options"] or {}).get("beta", 0.0)
        is_in_range = scales[0] * beta > MIN_SOFTMAX_SCALE
    if not is_in_range:
        raise StructureError(f"{name} of int8 numbers with the scales {scales + result_scales}")


def _get_scales(name: str, tensors: Sequence[Mapping[str, Any]]) -> list[float]:
    """Returns the scale of each int8 tensor that has one; refuses several, 0 and what lacks one."""
    scales: list[float] = []
    for tensor in tensors:
        if tensor["type"] not in _QUANTIZED:
            continue
        quantization = tensor["quantization"]
        tensor_scales = quantization["scale"] if quantization is not None else []
        if len(tensor_scales) > 1:
            raise StructureError(f"{name} of int8 numbers with {len(tensor_scales)} scales")
        if 0.0 in tensor_scales or not (tensor_scales or name in _MOVING):
            raise StructureError(f"{name} of int8 numbers without a scale")
        scales += tensor_scales
    return scales


def _check_shape_argument(name: str, position: int, tensor: Mapping[str, Any]) -> None:
    """Checks an input that says a shape or axes: few numbers, of a size that can be."""
    shape = tensor["shape"]
    num_rows = shape[0] if shape else 1
    is_list = shape in ([], [num_rows]) or (name == "PAD" and shape == [num_rows, 2])
    if not is_list or num_rows > MAX_AXES:
        raise StructureError(f"{name} with input {position} of the shape {shape}")
    if tensor["is_constant"]:
        count = len(tensor["data"]) // 4
        numbers = struct.unpack_from(f"<{count}i", tensor["data"])
        sizes = [number for number in numbers if number > 0]
        if math.prod(sizes) > (MAX_GROWTH if name in _GROWING else MAX_ELEMENTS):
            raise StructureError(f"{name} with the sizes {list(numbers)}")

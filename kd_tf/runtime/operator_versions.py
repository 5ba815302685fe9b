"""Knows which TensorFlow Lite release supports which version of which operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kd_tf.runtime.flatbuffer_check import StructureError
from kd_tf.runtime.operator_check import OPERATORS, get_operator_number

FIRST_RELEASES = {
    "ABS": "1.13.0 2.4.0 2.5.0 2.6.0 2.12.0",
    "ADD": "1.5.0 1.14.0 2.4.0 2.6.0 2.13.0 2.23.0",
    "ADD_N": "1.14.0",
    "ARG_MAX": "1.9.0 1.14.0 2.9.0",
    "BATCH_MATMUL": "2.3.0 2.3.0 2.4.0 2.5.0",
    "BROADCAST_TO": "2.5.0 2.5.0 2.5.0",
    "CAST": "1.5.0 2.7.0 2.8.0 2.9.0 2.12.0 2.15.0 2.17.0 2.21.0",
    "CONCATENATION": "1.5.0 1.14.0 2.3.0 2.14.0 2.21.0",
    "CONV_2D": "1.5.0 1.14.0 1.14.0 2.3.0 2.4.0 2.9.0 2.11.0 2.15.0",
    "CUMSUM": "2.4.0",
    "DEQUANTIZE": "1.13.1 1.14.0 1.15.0 2.2.0 2.7.0 2.18.0 2.21.0 2.22.0",
    "DIV": "1.6.0 2.3.0",
    "EMBEDDING_LOOKUP": "1.13.0 1.14.0 1.14.0 2.18.0",
    "EQUAL": "1.14.0 1.14.0 2.3.0 2.13.0 2.21.0",
    "EXP": "1.7.0",
    "EXPAND_DIMS": "1.10.0",
    "FILL": "1.13.0 2.3.0 2.5.0 2.12.0",
    "FLOOR_DIV": "1.14.0 1.14.0",
    "FLOOR_MOD": "1.13.0",
    "FULLY_CONNECTED": "1.5.0 1.10.0 1.14.0 1.14.0 2.0.0 2.1.0 2.3.0 2.3.0 2.3.0 2.11.0 2.15.0 "
    "2.17.0 2.18.0 2.21.0",
    "GATHER": "1.6.0 1.14.0 1.15.0 2.4.0 2.5.0 2.13.0 2.15.0",
    "GATHER_ND": "1.14.0 2.3.0 2.5.0",
    "GREATER": "1.14.0 1.14.0",
    "GREATER_EQUAL": "1.14.0 1.14.0 2.13.0",
    "L2_NORMALIZATION": "1.5.0 1.14.0",
    "LESS": "1.14.0 1.14.0",
    "LESS_EQUAL": "1.14.0 1.14.0",
    "LOG": "1.14.0",
    "LOGICAL_AND": "1.11.0",
    "LOGICAL_NOT": "1.11.0",
    "LOGICAL_OR": "1.11.0",
    "LOGISTIC": "1.14.0 1.14.0 2.3.0",
    "MAXIMUM": "1.14.0 1.14.0 2.3.0 2.3.0",
    "MEAN": "1.6.0 1.14.0 2.4.0",
    "MINIMUM": "1.14.0 1.14.0 2.3.0 2.3.0",
    "MUL": "1.5.0 1.14.0 1.15.0 2.3.0 2.6.0 2.11.0 2.13.0 2.23.0",
    "NEG": "1.9.0",
    "NOT_EQUAL": "1.14.0 1.14.0 2.3.0",
    "ONE_HOT": "1.11.0",
    "PACK": "1.11.0 1.14.0 2.3.0",
    "PAD": "1.5.0 1.14.0 2.4.0 2.6.0",
    "POW": "1.10.0",
    "QUANTIZE": "1.14.0 1.15.0 2.7.0 2.21.0 2.21.0 2.21.0",
    "RANGE": "1.13.0",
    "REDUCE_ANY": "1.11.0",
    "REDUCE_MAX": "1.11.0 1.14.0 2.5.0",
    "REDUCE_MIN": "1.11.0 1.14.0 2.5.0",
    "RESHAPE": "1.5.0",
    "RSQRT": "1.10.0 2.5.0 2.15.0",
    "SCATTER_ND": "2.1.0",
    "SELECT": "1.14.0 1.14.0 2.12.0 2.12.0",
    "SELECT_V2": "2.2.0 2.12.0",
    "SHAPE": "1.10.0",
    "SLICE": "1.14.0 1.14.0 1.14.0 2.4.0 2.5.0",
    "SOFTMAX": "1.5.0 1.14.0 2.3.0",
    "SQRT": "1.10.0",
    "SQUARE": "1.12.0",
    "SQUEEZE": "1.6.0 2.5.0",
    "STRIDED_SLICE": "1.6.0 1.14.0 2.1.0 2.2.0 2.5.0 2.6.0 2.14.0 2.14.0",
    "SUB": "1.6.0 1.14.0 2.3.0 2.4.0 2.4.0",
    "SUM": "1.10.0 1.15.0",
    "TANH": "1.14.0 1.14.0 2.3.0",
    "TILE": "1.10.1 2.2.0 2.8.0 2.12.0",
    "TOPK_V2": "1.7.0 1.14.0 2.13.0",
    "TRANSPOSE": "1.6.0 1.14.0 1.15.0 2.3.0 2.4.0 2.12.0",
    "UNPACK": "1.11.0 1.14.0 2.2.0 2.3.0",
    "WHERE": "1.14.0 2.8.0",
    "ZEROS_LIKE": "1.12.0",
}
"""For each operator in exported graphs, the first TensorFlow Lite release with its version 1, 2, 3,
and so on; from ``FindMinimumRuntimeVersionForOp`` in TensorFlow's
``tensorflow/compiler/mlir/lite/tools/versioning/runtime_version.cc``."""


def find_first_release(name: str, version: int) -> str | None:
    """Finds the TensorFlow Lite release that first had a version of an operator.

    Args:
        name: The operator's name, as in `FIRST_RELEASES`.
        version: The version of the operator, from 1.

    Returns:
        The release; None if none is known.

    Example:
        >>> find_first_release("SUM", 2), find_first_release("SUM", 3)
        ('1.15.0', None)
    """
    releases = FIRST_RELEASES.get(name, "").split()
    return releases[version - 1] if 1 <= version <= len(releases) else None


def find_min_runtime_version(model: Mapping[str, Any]) -> str:
    """Finds the oldest TensorFlow Lite release that has all operators of a model.

    Args:
        model: The parsed model, from `kd_tf.runtime.model_check.check_model`.

    Raises:
        StructureError: An operator has a version that no release is known for.
    """
    used_codes = {
        operator["opcode_index"] for graph in model["subgraphs"] for operator in graph["operators"]
    }
    releases = []
    for index in used_codes:
        code = model["operator_codes"][index]
        name = OPERATORS[get_operator_number(code)]
        release = find_first_release(name, code["version"])
        if release is None:
            raise StructureError(f"{name} of version {code['version']}, which no runtime has")
        releases.append(release)
    return max(releases, key=parse_version, default="1.5.0")


def parse_version(version: str) -> tuple[int, ...]:
    """Parses a version, so that 2.16.1 compares as newer than 2.5.0.

    Args:
        version: Numbers separated by dots.

    Returns:
        The numbers.

    Example:
        >>> parse_version("2.16.1") > parse_version("2.5.0")
        True
    """
    return tuple(int(part) for part in version.split("."))

"""The oldest runtime that a .tflite runs on, found from the versions of its operators.

A runtime that meets an operator version that it does not know refuses the file, and where a tool
forgot to raise the version, it reads the file wrongly without a word. So the least version is
computed from what is in the file, after every pass over it; the converter's own note in the
metadata knows nothing of `kd_tf.tflite.passes.share_table`.
"""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from kd_tf.errors import ParityError, UserError
from kd_tf.tflite.passes.flatbuffer import get_builtin_code

_FIRST_RELEASES = {
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
"""For every operator that our graphs use the first TensorFlow Lite release that has its version 1,
2, 3, ...; from ``FindMinimumRuntimeVersionForOp`` in TensorFlow's
``tensorflow/compiler/mlir/lite/tools/versioning/runtime_version.cc``."""

_OPERATOR_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


RUNTIMES = {"android-2.16": "2.16.1", "litert": "2.23.0"}
"""What apps link today, by the name of the setting ``export.runtime``: the TensorFlow Lite release
whose operators it has. android-2.16 is ``org.tensorflow:tensorflow-lite:2.16.1``, the newest on
Maven Central; litert is what kd_tf itself runs."""

ANY_RUNTIME = "any"
"""Every one of `RUNTIMES`."""


def check_runtime(content: bytes, runtime: str) -> None:
    """Refuses a file that a runtime would refuse, or would load and read wrongly.

    Args:
        content: A .tflite file.
        runtime: One of `RUNTIMES`, or `ANY`.

    Raises:
        UserError: The file needs a newer one.
        ParityError: An operator's version hides what it needs (see `min_runtime_version`).
        ValueError: There is no such runtime.
    """
    if runtime != ANY_RUNTIME and runtime not in RUNTIMES:
        raise ValueError(
            f"runtime is {ANY_RUNTIME} or one of {', '.join(RUNTIMES)}, not {runtime!r}"
        )
    names = list(RUNTIMES) if runtime == ANY_RUNTIME else [runtime]
    oldest = min(names, key=lambda name: parse_version(RUNTIMES[name]))
    needed = compute_min_runtime_version(content)
    if parse_version(needed) > parse_version(RUNTIMES[oldest]):
        raise UserError(
            f"the file needs a runtime of {needed}, and {oldest} has the operators of "
            f"{RUNTIMES[oldest]}",
            where="export.runtime",
            hint="Leave out the form of the file that needs it (export.variants), or ship a newer "
            "runtime and say so with --runtime litert.",
        )


def compute_min_runtime_version(content: bytes) -> str:
    """The least TensorFlow Lite version that knows every operator version in the file.

    Args:
        content: A .tflite file.

    Returns:
        For example ``"2.5.0"``.

    Raises:
        NotImplementedError: The file has an operator, or a version of one, that is not in the
            table here, so that nothing can be promised of it.
        ParityError: An operator has weights that only later versions of it read rightly: an
            older runtime would load the file and give wrong numbers without a word. Tools that
            quantize files forget to raise the version.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    # Only what is used: a pass that replaced an operator leaves its code in the list.
    operators = [(graph, operator) for graph in model.subgraphs for operator in graph.operators]
    needed = [
        _find_first_release(model.operatorCodes[index])
        for index in {o.opcodeIndex for _, o in operators}
    ]
    for graph, operator in operators:
        _check_weight_version(graph, operator, model.operatorCodes[operator.opcodeIndex])
    return max(needed, key=parse_version)


def _check_weight_version(
    graph: schema.SubGraphT, operator: schema.OperatorT, code: schema.OperatorCodeT
) -> None:
    kind = get_builtin_code(code)
    if kind not in _WEIGHT_VERSIONS:
        return
    place, by_row, four_bits = _WEIGHT_VERSIONS[kind]
    weights, given = (
        graph.tensors[operator.inputs[place]],
        graph.tensors[operator.inputs[1 - place]],
    )
    scales = weights.quantization.scale if weights.quantization is not None else None
    rows = scales is not None and len(scales) > 1
    # Whole numbers times whole numbers had a scale a row from the start.
    mixed = kind == schema.BuiltinOperator.EMBEDDING_LOOKUP or (
        given.type == schema.TensorType.FLOAT32
    )
    least, what = 1, ""
    if rows and mixed and weights.type == schema.TensorType.INT8:
        least, what = by_row, "a scale a row"
    if weights.type == schema.TensorType.INT4:
        least, what = max(least, four_bits), "numbers of four bits"
    if code.version < least:
        raise ParityError(
            f"{_OPERATOR_NAMES[kind]} reads weights with {what}, which it can since its version {least}, "
            f"but is marked as version {code.version}: an older runtime would load the file and "
            "give wrong numbers"
        )


_WEIGHT_VERSIONS = {
    schema.BuiltinOperator.FULLY_CONNECTED: (1, 12, 11),
    schema.BuiltinOperator.EMBEDDING_LOOKUP: (1, 4, 4),
}
"""For operators that multiply or look up weights: their place among the inputs, and since which
version they read a scale a row and numbers of four bits. FULLY_CONNECTED with floats and INT4 never
got a version; 11 is what `kd_tf.tflite.passes.int4_table` sets, and why."""


def parse_version(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 2.16.1 comes after 2.5.0."""
    return tuple(int(part) for part in version.split("."))


def _find_first_release(code: schema.OperatorCodeT) -> str:
    kind = get_builtin_code(code)
    name = _OPERATOR_NAMES.get(kind, f"number {kind}")
    if kind == schema.BuiltinOperator.CUSTOM:
        raise NotImplementedError(
            f"the file has the custom operator {(code.customCode or b'').decode()!r}, which no "
            "runtime has built in"
        )
    since = _FIRST_RELEASES.get(name, "").split()
    if not 1 <= code.version <= len(since):
        raise NotImplementedError(
            f"operator {name} version {code.version} is not in the table of runtime versions: look "
            "it up in TensorFlow's runtime_version.cc and add it to kd_tf/tflite/checks/compatibility.py"
        )
    return since[code.version - 1]

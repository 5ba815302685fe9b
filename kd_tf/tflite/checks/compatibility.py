"""Computes the oldest runtime that runs a .tflite file, from the versions of its operators.

A runtime refuses a file with an unknown operator version. If a tool forgot to raise the version,
the runtime loads the file and computes wrong numbers. The required version is therefore computed
from the final file, after all passes: the converter's own metadata entry does not include the
changes of `kd_tf.tflite.passes.share_table`.
"""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from kd_tf.errors import ParityError, UserError
from kd_tf.runtime.operator_versions import find_first_release, parse_version
from kd_tf.tflite.passes.flatbuffer import get_builtin_code

_OPERATOR_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


RUNTIMES = {"android-2.16": "2.16.1", "litert": "2.23.0"}
"""Runtimes that apps use, by the value of the setting ``export.runtime``, and the TensorFlow Lite
release whose operators each supports. android-2.16 is ``org.tensorflow:tensorflow-lite:2.16.1``,
the newest on Maven Central; litert is the runtime that kd_tf itself uses."""

ANY_RUNTIME = "any"
"""All of `RUNTIMES`."""


def check_runtime(content: bytes, runtime: str) -> None:
    """Checks that a runtime can load a file and computes the right numbers with it.

    Args:
        content: A .tflite file.
        runtime: One of `RUNTIMES`, or `ANY_RUNTIME`.

    Raises:
        UserError: The file needs a newer runtime.
        ParityError: An operator's version is lower than its weights require (see
            `compute_min_runtime_version`).
        ValueError: `runtime` is unknown.
    """
    if runtime != ANY_RUNTIME and runtime not in RUNTIMES:
        raise ValueError(
            f"runtime must be {ANY_RUNTIME} or one of {', '.join(RUNTIMES)}, not {runtime!r}"
        )
    names = list(RUNTIMES) if runtime == ANY_RUNTIME else [runtime]
    oldest = min(names, key=lambda name: parse_version(RUNTIMES[name]))
    min_version = compute_min_runtime_version(content)
    if parse_version(min_version) > parse_version(RUNTIMES[oldest]):
        raise UserError(
            f"the file needs TensorFlow Lite {min_version} or newer, but the runtime {oldest} "
            f"supports the operators of {RUNTIMES[oldest]}",
            where="export.runtime",
            hint="Leave this quantization out of export.quantizations, or ship a newer runtime "
            "with your app and set --runtime litert.",
        )


def compute_min_runtime_version(content: bytes) -> str:
    """Computes the oldest TensorFlow Lite version that supports all operators of a file.

    Args:
        content: A .tflite file.

    Returns:
        A version such as ``"2.5.0"``.

    Raises:
        NotImplementedError: The file has an operator or an operator version that is not in the
            table of this module.
        ParityError: An operator has weights that only later versions of it support. An older
            runtime would load the file and compute wrong numbers. Tools that quantize files
            sometimes forget to raise the version.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    # Only codes in use: a pass that replaces an operator leaves its code in the list.
    operators = [(graph, operator) for graph in model.subgraphs for operator in graph.operators]
    releases = [
        _find_first_release(model.operatorCodes[index])
        for index in {operator.opcodeIndex for _, operator in operators}
    ]
    for graph, operator in operators:
        _check_weight_version(graph, operator, model.operatorCodes[operator.opcodeIndex])
    return max(releases, key=parse_version)


def _check_weight_version(
    graph: schema.SubGraphT, operator: schema.OperatorT, code: schema.OperatorCodeT
) -> None:
    """Checks that an operator's version supports the quantization of its weights."""
    builtin_code = get_builtin_code(code)
    if builtin_code not in _WEIGHT_VERSIONS:
        return
    position, per_row_version, int4_version = _WEIGHT_VERSIONS[builtin_code]
    weights = graph.tensors[operator.inputs[position]]
    other_input = graph.tensors[operator.inputs[1 - position]]
    scales = weights.quantization.scale if weights.quantization is not None else None
    has_row_scales = scales is not None and len(scales) > 1
    # Products of int8 inputs with int8 weights supported one scale per row from the start.
    is_hybrid = builtin_code == schema.BuiltinOperator.EMBEDDING_LOOKUP or (
        other_input.type == schema.TensorType.FLOAT32
    )
    required_version, feature = 1, ""
    if has_row_scales and is_hybrid and weights.type == schema.TensorType.INT8:
        required_version, feature = per_row_version, "one scale per row"
    if weights.type == schema.TensorType.INT4:
        required_version, feature = max(required_version, int4_version), "int4 values"
    if code.version < required_version:
        raise ParityError(
            f"{_OPERATOR_NAMES[builtin_code]} has weights with {feature}, which need its version "
            f"{required_version}, but is marked as version {code.version}: an older runtime would "
            "load the file and compute wrong numbers"
        )


_WEIGHT_VERSIONS = {
    schema.BuiltinOperator.FULLY_CONNECTED: (1, 12, 11),
    schema.BuiltinOperator.EMBEDDING_LOOKUP: (1, 4, 4),
}
"""For operators with weights: the index of the weights among the inputs, and the first versions
that support one scale per row and int4 values. FULLY_CONNECTED with float inputs and INT4 weights
never got a version of its own; `kd_tf.tflite.passes.int4_table` explains why it is 11."""


def _find_first_release(code: schema.OperatorCodeT) -> str:
    """Returns the first TensorFlow Lite release that supports an operator version."""
    builtin_code = get_builtin_code(code)
    name = _OPERATOR_NAMES.get(builtin_code, f"number {builtin_code}")
    if builtin_code == schema.BuiltinOperator.CUSTOM:
        raise NotImplementedError(
            f"the file has the custom operator {(code.customCode or b'').decode()!r}, which no "
            "runtime has built in"
        )
    release = find_first_release(name, code.version)
    if release is None:
        raise NotImplementedError(
            f"operator {name} version {code.version} is not in the table of runtime versions: look "
            "it up in TensorFlow's runtime_version.cc and add it to "
            "kd_tf/runtime/operator_versions.py"
        )
    return release

"""The same student as other tools would ship it: what a file of ours is measured against."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.tflite.checks.numpy_reference import make_numpy_mlp
from kd_tf.tflite.signatures import Signatures


def convert_naive_int8(student: HistoryModel, recommendations: int, candidates: int) -> bytes:
    """What ``TFLiteConverter`` makes of the signatures with the one option that all tutorials set.

    Args:
        student: Trained.
        recommendations: K.
        candidates: C.
    """
    module = Signatures(student, recommendations, candidates)
    with tempfile.TemporaryDirectory() as folder, suppress_native_stderr():
        tf.saved_model.save(module, folder, signatures=module.functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(module.functions)
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return bytes(converter.convert())


def export_onnx_float32(student: HistoryModel, recommendations: int) -> bytes:
    """The student as an ONNX graph with one table, in the operators that it would be exported to.

    Raises:
        UserError: As for `numpy_mlp`, or the package onnx is missing.
    """
    return _build_onnx(student, recommendations, one_table=True)


def _build_onnx(student: HistoryModel, recommendations: int, *, one_table: bool) -> bytes:
    weights = make_numpy_mlp(student, recommendations).weights
    onnx = _import_package("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    L, V, K = student.max_length, student.num_items, recommendations
    constants: dict[str, np.ndarray] = {
        name: value for name, value in weights.items() if name != "scoring_table"
    }
    scoring = "table"
    if weights["scoring_table"] is not weights["table"] or not one_table:
        constants[scoring := "scoring_table"] = weights["scoring_table"].copy()
    shortlist = min(K + L + 1, V + 1)
    constants |= {
        "zero": np.array(0, np.int32),
        "one": np.array(1, np.int32),
        "books": np.array(V, np.int32),
        "least": np.array(1, np.float32),
        "places": np.arange(L, dtype=np.int64)[np.newaxis],
        "after": np.triu(np.ones((L, L), np.float32), 1).T.copy(),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
        "shortlist": np.array([shortlist]),
        "k": np.array([K]),
        "countdown": np.arange(shortlist, 0, -1, dtype=np.int32)[np.newaxis],
        "padding": np.zeros((1, 1), np.int32),
    }
    node = helper.make_node
    nodes = [
        node("GreaterOrEqual", ["history", "one"], ["from_1"]),
        node("LessOrEqual", ["history", "books"], ["to_V"]),
        node("And", ["from_1", "to_V"], ["known"]),
        node("Where", ["known", "history", "zero"], ["ids"]),
        node("Unsqueeze", ["ids", "axis_2"], ["column"]),
        node("Unsqueeze", ["ids", "axis_1"], ["row"]),
        node("Equal", ["column", "row"], ["same"]),
        node("Cast", ["same"], ["same_numbers"], to=kinds.INT32),
        node("ArgMax", ["same_numbers"], ["first_place"], axis=2, keepdims=0),
        node("Equal", ["first_place", "places"], ["first"]),
        node("And", ["first", "known"], ["counts"]),
        node("Cast", ["counts"], ["present"], to=kinds.FLOAT),
        node("MatMul", ["present", "after"], ["age"]),
        node("Cast", ["age"], ["age_number"], to=kinds.INT64),
        node("Gather", ["recency", "age_number"], ["by_age"]),
        node("Mul", ["by_age", "present"], ["weights"]),
        node("Gather", ["table", "ids"], ["rows"]),
        node("ReduceSum", ["weights", "axis_1"], ["total"]),
        node("Max", ["total", "least"], ["at_least"]),
        node("Sqrt", ["at_least"], ["root"]),
        node("Div", ["weights", "root"], ["shares"]),
        node("Unsqueeze", ["shares", "axis_1"], ["shares_row"]),
        node("MatMul", ["shares_row", "rows"], ["pooled_row"]),
        node("Squeeze", ["pooled_row", "axis_1"], ["own"]),
        node("Gemm", ["own", "hidden_kernel", "hidden_bias"], ["before"]),
        node("Relu", ["before"], ["hidden"]),
        node("Gemm", ["hidden", "correction_kernel", "correction_bias"], ["correction"]),
        node("Add", ["own", "correction"], ["reader"]),
        node("Gemm", ["reader", scoring], ["all_scores"], transB=1),
        # The same exclusion without a pass over the catalogue that our files have.
        node("TopK", ["all_scores", "shortlist"], ["values", "found_64"]),
        node("Cast", ["found_64"], ["found"], to=kinds.INT32),
        node("Concat", ["ids", "padding"], ["excluded"], axis=1),
        node("Unsqueeze", ["found", "axis_2"], ["found_column"]),
        node("Unsqueeze", ["excluded", "axis_1"], ["excluded_row"]),
        node("Equal", ["found_column", "excluded_row"], ["is_excluded"]),
        node("Cast", ["is_excluded"], ["excluded_numbers"], to=kinds.INT32),
        node("ReduceMax", ["excluded_numbers", "axis_2"], ["gone_number"], keepdims=0),
        node("Cast", ["gone_number"], ["gone"], to=kinds.BOOL),
        node("Where", ["gone", "zero", "countdown"], ["left"]),
        node("TopK", ["left", "k"], ["_", "kept"]),
        node("Where", ["gone", "zero", "found"], ["free"]),
        node("GatherElements", ["free", "kept"], ["ids_out"], axis=1),
        node("Identity", ["ids_out"], ["ids_named"]),
        node("GatherElements", ["values", "kept"], ["scores"], axis=1),
    ]
    # The answer is called ids as in our contract; within the graph the name is the history's.
    for one in nodes:
        one.input[:] = ["known_ids" if name == "ids" else name for name in one.input]
        one.output[:] = ["known_ids" if name == "ids" else name for name in one.output]
        one.output[:] = ["ids" if name == "ids_named" else name for name in one.output]
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("history", kinds.INT32, [1, L])],
        [
            helper.make_tensor_value_info("ids", kinds.INT32, [1, K]),
            helper.make_tensor_value_info("scores", kinds.FLOAT, [1, K]),
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def export_onnx_int8(student: HistoryModel, recommendations: int) -> bytes:
    """The same graph after ONNX Runtime's dynamic quantization.

    Which turns the weights of a product around, and so gives wrong shapes where rows are taken
    from the same table: it gets a table of its own for the scores.

    Raises:
        UserError: As for `onnx_float32`, or the package onnxruntime is missing.
    """
    float32 = _build_onnx(student, recommendations, one_table=False)
    quantization = _import_package("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(float32)
        with suppress_native_stderr():
            quantization.quantize_dynamic(before, after, weight_type=quantization.QuantType.QInt8)
        return after.read_bytes()


def _import_package(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"the package {name.split('.')[0]} is not installed",
            hint="pip install 'kd_tf[benchmark]', or leave onnxruntime out of --against.",
        ) from error

"""Exports a student with other tools, as competitors of kd_tf's files in benchmarks."""

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
    """Converts a student with ``TFLiteConverter`` and its default optimization, as tutorials do.

    Args:
        student: The trained student.
        recommendations: K, the number of items in a list.
        candidates: C, the number of items that ``score`` takes at once.

    Returns:
        The content of the .tflite file.
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
    """Exports an MLP or two-tower student as an ONNX graph with one item table.

    Args:
        student: The trained student.
        recommendations: K, the number of items in a list.

    Returns:
        The content of the .onnx file: ``history`` int32 [1, L] to ``ids`` int32 [1, K] and
        ``scores`` float32 [1, K].

    Raises:
        UserError: The student has another architecture, or the package onnx is missing.
    """
    return _build_onnx(student, recommendations, share_table=True)


def _build_onnx(student: HistoryModel, recommendations: int, *, share_table: bool) -> bytes:
    """Builds the ONNX graph, with one table or with a second one for scoring."""
    weights = make_numpy_mlp(student, recommendations).weights
    onnx = _import_package("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    L, V, K = student.max_length, student.num_items, recommendations
    constants: dict[str, np.ndarray] = {
        name: value for name, value in weights.items() if name != "scoring_table"
    }
    scoring = "table"
    if weights["scoring_table"] is not weights["table"] or not share_table:
        constants[scoring := "scoring_table"] = weights["scoring_table"].copy()
    num_candidates = min(K + L + 1, V + 1)
    constants |= {
        "zero": np.array(0, np.int32),
        "one": np.array(1, np.int32),
        "num_items": np.array(V, np.int32),
        "min_total": np.array(1, np.float32),
        "positions": np.arange(L, dtype=np.int64)[np.newaxis],
        "is_newer": np.triu(np.ones((L, L), np.float32), 1).T.copy(),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
        "num_candidates": np.array([num_candidates]),
        "k": np.array([K]),
        "countdown": np.arange(num_candidates, 0, -1, dtype=np.int32)[np.newaxis],
        "padding": np.zeros((1, 1), np.int32),
    }
    node = helper.make_node
    nodes = [
        # Ids outside 1..V become padding.
        node("GreaterOrEqual", ["history", "one"], ["at_least_1"]),
        node("LessOrEqual", ["history", "num_items"], ["at_most_V"]),
        node("And", ["at_least_1", "at_most_V"], ["is_item"]),
        node("Where", ["is_item", "history", "zero"], ["history_ids"]),
        # Only the first occurrence of an item counts.
        node("Unsqueeze", ["history_ids", "axis_2"], ["id_column"]),
        node("Unsqueeze", ["history_ids", "axis_1"], ["id_row"]),
        node("Equal", ["id_column", "id_row"], ["is_equal"]),
        node("Cast", ["is_equal"], ["is_equal_int"], to=types.INT32),
        node("ArgMax", ["is_equal_int"], ["first_position"], axis=2, keepdims=0),
        node("Equal", ["first_position", "positions"], ["is_first"]),
        node("And", ["is_first", "is_item"], ["is_counted"]),
        node("Cast", ["is_counted"], ["mask"], to=types.FLOAT),
        # Weights by age, 0 for the newest item.
        node("MatMul", ["mask", "is_newer"], ["age"]),
        node("Cast", ["age"], ["age_index"], to=types.INT64),
        node("Gather", ["recency", "age_index"], ["age_weights"]),
        node("Mul", ["age_weights", "mask"], ["weights"]),
        # The user embedding: a weighted sum of rows, plus the MLP's correction.
        node("Gather", ["table", "history_ids"], ["rows"]),
        node("ReduceSum", ["weights", "axis_1"], ["total"]),
        node("Max", ["total", "min_total"], ["clipped_total"]),
        node("Sqrt", ["clipped_total"], ["norm"]),
        node("Div", ["weights", "norm"], ["shares"]),
        node("Unsqueeze", ["shares", "axis_1"], ["shares_row"]),
        node("MatMul", ["shares_row", "rows"], ["pooled_row"]),
        node("Squeeze", ["pooled_row", "axis_1"], ["pooled"]),
        node("Gemm", ["pooled", "hidden_kernel", "hidden_bias"], ["pre_activation"]),
        node("Relu", ["pre_activation"], ["hidden"]),
        node("Gemm", ["hidden", "correction_kernel", "correction_bias"], ["correction"]),
        node("Add", ["pooled", "correction"], ["user"]),
        node("Gemm", ["user", scoring], ["all_scores"], transB=1),
        # The top K without items of the history, as in kd_tf's files: no pass over the catalog.
        node("TopK", ["all_scores", "num_candidates"], ["top_scores", "top_ids_64"]),
        node("Cast", ["top_ids_64"], ["top_ids"], to=types.INT32),
        node("Concat", ["history_ids", "padding"], ["excluded"], axis=1),
        node("Unsqueeze", ["top_ids", "axis_2"], ["top_column"]),
        node("Unsqueeze", ["excluded", "axis_1"], ["excluded_row"]),
        node("Equal", ["top_column", "excluded_row"], ["equals_excluded"]),
        node("Cast", ["equals_excluded"], ["equals_excluded_int"], to=types.INT32),
        node("ReduceMax", ["equals_excluded_int", "axis_2"], ["is_excluded_int"], keepdims=0),
        node("Cast", ["is_excluded_int"], ["is_excluded"], to=types.BOOL),
        node("Where", ["is_excluded", "zero", "countdown"], ["priority"]),
        node("TopK", ["priority", "k"], ["_", "best"]),
        node("Where", ["is_excluded", "zero", "top_ids"], ["allowed_ids"]),
        node("GatherElements", ["allowed_ids", "best"], ["ids"], axis=1),
        node("GatherElements", ["top_scores", "best"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("history", types.INT32, [1, L])],
        [
            helper.make_tensor_value_info("ids", types.INT32, [1, K]),
            helper.make_tensor_value_info("scores", types.FLOAT, [1, K]),
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def export_onnx_int8(student: HistoryModel, recommendations: int) -> bytes:
    """Exports a student as an ONNX graph and quantizes it with ONNX Runtime.

    ONNX Runtime's dynamic quantization transposes the weights of a product. A Gather from the same
    table would get wrong shapes, so that scoring has a second table here.

    Args:
        student: The trained student.
        recommendations: K, the number of items in a list.

    Returns:
        The content of the .onnx file.

    Raises:
        UserError: The student has another architecture, or the package onnx or onnxruntime is
            missing.
    """
    float32_model = _build_onnx(student, recommendations, share_table=False)
    quantization = _import_package("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(float32_model)
        with suppress_native_stderr():
            quantization.quantize_dynamic(source, target, weight_type=quantization.QuantType.QInt8)
        return target.read_bytes()


def _import_package(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"the package {name.split('.')[0]} is not installed",
            hint="Run: pip install 'kd_tf[benchmark]'. Or leave onnxruntime out of --competitors.",
        ) from error

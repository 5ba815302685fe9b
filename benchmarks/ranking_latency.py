"""Times one prediction of the students of the ranking task beside ONNX Runtime.

    pip install 'kd_tf[benchmark]'
    python benchmarks/ranking_latency.py --features 20

Random weights and rows: 16 categories of 1,000 values, the rest numbers. The ONNX model is the same
network in float32 with the same weights, its answers are compared. One thread each, in turns of 50
calls after 50 that are not counted, in one process: setting the inputs, running, fetching.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students import RANKING_STUDENTS
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.convert import convert_ranking_model

NUM_CATEGORIES, NUM_VALUES = 16, 1000
TURNS, CALLS, WARM_UP = 40, 50, 50

PredictFn = Callable[[int], float]
"""A function from the number of a row to its probability."""


def main() -> None:
    """Prints a table of latencies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=20, help="at least 16")
    options = parser.parse_args()
    numbers = tuple(f"number{place}" for place in range(options.features - NUM_CATEGORIES))
    categories = tuple(
        CategoricalFeature(f"category{place}", NUM_VALUES) for place in range(NUM_CATEGORIES)
    )
    layout = FeatureLayout(categories, numbers)
    rows = _draw_rows(layout, 1000)
    print("| student | file | bytes | p50, us | p50 / p50 of ONNX Runtime | largest difference |")
    print("|---|---|---|---|---|---|")
    for name, student_class in RANKING_STUDENTS.items():
        student = student_class(layout)
        student.create_weights()
        _draw_weights(student)
        peer = _make_onnx_fn(student, rows)
        for quantization in (Quantization.FLOAT32, Quantization.DYNAMIC_INT8):
            content = convert_ranking_model(student, quantization, batch_size=8)
            file_fn = _make_file_fn(content, rows)
            difference = max(abs(file_fn(row) - peer(row)) for row in range(len(rows)))
            file_time, peer_time = _time_in_turns([file_fn, peer], len(rows))
            print(
                f"| {name} | {quantization.value} | {len(content):,} | {file_time:.1f} | "
                f"{file_time / peer_time:.2f} | {difference:.5f} |",
                flush=True,
            )


def _draw_rows(layout: FeatureLayout, num_rows: int) -> RankingExamples:
    random = np.random.default_rng(0)
    return RankingExamples(
        layout,
        random.integers(0, NUM_VALUES, (num_rows, layout.num_places), dtype=np.int32),
        random.normal(size=(num_rows, layout.num_numeric)).astype(np.float32),
        np.zeros(num_rows, np.float32),
    )


def _draw_weights(student: RankingModel) -> None:
    random = np.random.default_rng(1)
    for weight in student.weights:
        weight.assign(random.normal(0, 0.1, weight.shape).astype(np.float32))


def _make_file_fn(content: bytes, rows: RankingExamples) -> PredictFn:
    model = PredictionModel(content, threads=1)
    inputs = [
        (rows.categorical[row : row + 1], rows.numeric[row : row + 1]) for row in range(len(rows))
    ]
    return lambda row: model.predict(*inputs[row])


def _make_onnx_fn(student: RankingModel, rows: RankingExamples) -> PredictFn:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        _convert_to_onnx(student), options, providers=["CPUExecutionProvider"]
    )
    inputs = [
        {"categorical": rows.categorical[row : row + 1], "numeric": rows.numeric[row : row + 1]}
        for row in range(len(rows))
    ]
    return lambda row: float(session.run(["probability"], inputs[row])[0][0])


def _convert_to_onnx(student: RankingModel) -> bytes:
    """Writes a student as an ONNX graph: one Gather for all categories, as in the .tflite."""
    layout, nodes, weights = student.layout, [], []

    def add_weight(name: str, array: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    offsets = np.array(layout.id_offsets, np.int32)
    ids = add("Add", ["categorical", add_weight("offsets", offsets)], "ids")
    axes = add_weight("last_axis", np.array([2], np.int64))
    numbers = add("Unsqueeze", ["numeric", axes], "numbers")

    def embed(layer: object, prefix: str) -> str:
        table = add_weight(f"{prefix}_table", layer.table.numpy())
        products = add(
            "Mul",
            [numbers, add_weight(f"{prefix}_numeric", layer.numeric_table.numpy())],
            f"{prefix}_products",
        )
        vectors = add("Gather", [table, ids], f"{prefix}_vectors", axis=0)
        return add("Concat", [vectors, products], f"{prefix}_embeddings", axis=1)

    def sum_axes(value: str, output: str, *places: int) -> str:
        axes = add_weight(f"{output}_axes", np.array(places, np.int64))
        return add("ReduceSum", [value, axes], output, keepdims=0)

    embeddings = embed(student.embedding, "embedding")
    if hasattr(student, "core"):
        shape = add_weight("flat_shape", np.array([1, -1], np.int64))
        flat = add("Reshape", [embeddings, shape], "flat")
        hidden = add("Concat", [flat, "numeric"], "hidden", axis=1)
        for place, layer in enumerate(
            layer for layer in student.core.layers if hasattr(layer, "kernel")
        ):
            kernel = add_weight(f"kernel{place}", layer.kernel.numpy())
            bias = add_weight(f"bias{place}", layer.bias.numpy())
            hidden = add(
                "Relu", [add("Gemm", [hidden, kernel, bias], f"dense{place}")], f"relu{place}"
            )
        kernel = add_weight("output_kernel", student.output_layer.kernel.numpy())
        logit = sum_axes(add("MatMul", [hidden, kernel], "output"), "logit", 1)
    elif hasattr(student, "linear"):
        total = sum_axes(embeddings, "total", 1)
        squares = sum_axes(add("Mul", [embeddings, embeddings], "squared"), "squares", 1, 2)
        square = sum_axes(add("Mul", [total, total], "total_squared"), "square", 1)
        pairs = add("Sub", [square, squares], "twice_pairs")
        half = add("Mul", [pairs, add_weight("half", np.array(0.5, np.float32))], "pairs")
        linear = sum_axes(embed(student.linear, "linear"), "linear", 1, 2)
        logit = add("Add", [half, linear], "logit")
    else:
        logit = sum_axes(embeddings, "logit", 1, 2)
    biased = add("Add", [logit, add_weight("bias", student.bias.numpy())], "biased")
    add("Sigmoid", [biased], "probability")
    graph = helper.make_graph(
        nodes,
        "student",
        [
            helper.make_tensor_value_info("categorical", TensorProto.INT32, [1, layout.num_places]),
            helper.make_tensor_value_info("numeric", TensorProto.FLOAT, [1, layout.num_numeric]),
        ],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [1])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _time_in_turns(functions: list[PredictFn], num_rows: int) -> list[float]:
    """Returns the median microseconds of a call of each function."""
    times: list[list[float]] = [[] for _ in functions]
    row = 0
    for _ in range(TURNS):
        for function, function_times in zip(functions, times, strict=True):
            for call in range(WARM_UP + CALLS):
                begin = time.perf_counter()
                function(row % num_rows)
                if call >= WARM_UP:
                    function_times.append(time.perf_counter() - begin)
                row += 1
    return [float(np.median(function_times)) * 1e6 for function_times in times]


if __name__ == "__main__":
    main()

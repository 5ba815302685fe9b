from __future__ import annotations

import json

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.cli.app import app
from kd_tf.errors import UserError
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.two_tower import TwoTowerStudent
from kd_tf.progress import NullProgress
from kd_tf.runtime.measure.interleaved import BenchmarkedModel
from kd_tf.tflite.benchmark import peers, synthetic
from kd_tf.tflite.benchmark.benchmark import COMPETITORS, BenchmarkSetup, benchmark
from kd_tf.tflite.benchmark.competitors import add_competitors
from kd_tf.tflite.checks.numpy_reference import make_numpy_mlp, make_numpy_score_fn
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization

V, L, d, K = 400, 10, 8, 20
HISTORIES = np.array(
    [
        [3, 9, 3, -1, V + 1, 7, 0, 0, 0, 0],
        [0] * L,
        list(range(1, L + 1)),
        [0, 0, 5, 0, 5, 0, 0, 0, 0, 1],
    ],
    np.int32,
)


@pytest.fixture(scope="module", params=[MLPStudent, TwoTowerStudent])
def student(request):
    rng.set_seed(0)
    model = request.param(num_items=V, max_length=L, embedding_dim=d)
    model.create_weights()
    model.recency.assign(np.linspace(1, -1, L))
    return model


def test_numpy_scores_as_the_student_does(student):
    scores = make_numpy_score_fn(student)(HISTORIES)
    np.testing.assert_allclose(scores, student(HISTORIES).numpy(), atol=1e-5)


def test_onnx_runtime_answers_as_numpy_does(student):
    runtime = pytest.importorskip("onnxruntime")
    plain = make_numpy_mlp(student, K)
    session = runtime.InferenceSession(peers.export_onnx_float32(student, K))
    eight = runtime.InferenceSession(peers.export_onnx_int8(student, K))
    for history in HISTORIES:
        ids, scores = session.run(["ids", "scores"], {"history": history[np.newaxis]})
        wanted = plain.recommend(history)
        assert ids[0].tolist() == wanted[0].tolist()
        np.testing.assert_allclose(scores[0], wanted[1], atol=1e-5)
        found = eight.run(["ids"], {"history": history[np.newaxis]})[0][0]
        assert len(set(found[:10].tolist()) & set(ids[0][:10].tolist())) >= 7


def test_a_sum_of_pairs_is_compared_with_naive_alone():
    student = ItemKernelStudent(num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    with pytest.raises(UserError, match="cannot be compared with numpy or onnxruntime"):
        make_numpy_mlp(student, K)
    scores = make_numpy_score_fn(student)(HISTORIES[1:3])
    np.testing.assert_allclose(scores, student(HISTORIES[1:3]).numpy(), atol=1e-4)


@pytest.mark.slow
def test_an_invented_student_is_measured_in_all_forms_beside_all_peers(monkeypatch, tmp_path):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(synthetic, "MIN_TWO_STAGE_ITEMS", 2000)
    found = benchmark(None, synthetic=(2000, 8, 10))
    assert (found["num_items"], found["embedding_dim"], found["max_length"]) == (2000, 8, 10)
    rows = {one["name"]: one for one in found["models"]}
    assert list(rows) == [
        *("kd-tf-int8", "kd-tf-int4", "kd-tf-two-stage", "numpy"),
        *("onnxruntime-float32", "onnxruntime-int8", "naive-int8"),
    ]
    for name, one in rows.items():
        assert set(one) == {
            *("name", "bytes", "floor_bytes", "latency_us", "threads", "init_seconds"),
            *("peak_memory_growth_bytes", "top10_overlap"),
        }
        assert set(one["latency_us"]) == {"p50", "p90", "p99"}
        assert one["bytes"] > one["floor_bytes"] > 0
        least = {"kd-tf-int4": 0.75, "kd-tf-two-stage": 0.85}
        assert one["top10_overlap"] >= least.get(name, 0.9)
    assert rows["numpy"]["top10_overlap"] == rows["onnxruntime-float32"]["top10_overlap"] == 1
    json.dumps(found)


@pytest.mark.slow
def test_a_bare_file_is_measured_alone(tmp_path, student):
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(student, Quantization.DYNAMIC_INT8, recommendations=K))
    (one,) = benchmark(path, competitors=[], threads=[2])["models"]
    assert (one["bytes"], one["threads"], one["top10_overlap"]) == (path.stat().st_size, 2, None)
    with pytest.raises(UserError, match="competitors are built from the student"):
        benchmark(path)


@pytest.mark.slow
def test_competitors_that_cannot_be_built_are_skipped_if_none_is_named(tmp_path):
    student = ItemKernelStudent(num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(student, Quantization.DYNAMIC_INT8, recommendations=K))
    model = BenchmarkedModel("kd-tf-int8", "tflite", path, 1)

    def add(skip_impossible):
        setup = BenchmarkSetup(student, HISTORIES, V, [model])
        add_competitors(
            setup, tmp_path, COMPETITORS, NullProgress(), skip_impossible=skip_impossible
        )
        return [model.name for model in setup.models]

    assert add(True) == ["kd-tf-int8", "naive-int8"]
    with pytest.raises(UserError, match="cannot be compared with numpy"):
        add(False)


@pytest.mark.slow
def test_a_file_without_a_student_is_measured_alone_if_no_competitor_is_named(tmp_path, student):
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(student, Quantization.DYNAMIC_INT8, recommendations=K))
    assert len(benchmark(path, competitors=None)["models"]) == 1


def test_what_there_is_not_is_named(tmp_path):
    with pytest.raises(UserError, match="no competitor 'pytorch'"):
        benchmark(tmp_path, competitors=["pytorch"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either a file or --synthetic-items"),
        (["x", "--synthetic-items", "5"], "either a file or --synthetic-items"),
        (["--synthetic-items", "50", "--threads", "0"], "--threads needs positive numbers"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(arguments, message):
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["benchmark", *arguments])
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)

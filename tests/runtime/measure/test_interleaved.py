from __future__ import annotations

import numpy as np
import pytest

from kd_tf.errors import UserError
from kd_tf.runtime.measure.interleaved import BenchmarkedModel, time_interleaved
from kd_tf.runtime.measure.numpy_mlp import NumpyMLP
from kd_tf.runtime.model import TFLiteModel

V, d, L, K = 200, 8, 10, 20


@pytest.fixture(scope="module")
def perceptron():
    random = np.random.default_rng(3)
    table = random.normal(0, 1, (V + 1, d)).astype(np.float32)

    def drawn(*shape):
        return random.normal(0, 0.3, shape).astype(np.float32)

    return NumpyMLP(
        {
            "table": table,
            "scoring_table": table,
            "recency": np.linspace(2, 1, L).astype(np.float32),
            "hidden_kernel": drawn(d, 16),
            "hidden_bias": drawn(16),
            "correction_kernel": drawn(16, d),
            "correction_bias": drawn(d),
        },
        K,
    )


def test_contestants_take_turns_and_give_their_answers(tmp_path, tflite, perceptron, histories):
    (tmp_path / "m.tflite").write_bytes(tflite)
    perceptron.save(tmp_path / "m.npz")
    standings = time_interleaved(
        [
            BenchmarkedModel("file", "tflite", tmp_path / "m.tflite", 1600),
            BenchmarkedModel("array", "numpy", tmp_path / "m.npz", 6400),
        ],
        histories,
    )
    assert [one.model.name for one in standings] == ["file", "array"]
    ids, _ = TFLiteModel(tflite).recommend_all(histories)
    np.testing.assert_array_equal(standings[0].ids, ids)
    np.testing.assert_array_equal(
        standings[1].ids, [perceptron.recommend(row)[0] for row in histories]
    )
    for one in standings:
        assert 0 < one.latency.p50 <= one.latency.p90 <= one.latency.p99
        assert (one.latency.runs, one.latency.threads) == (1000, 1)
        assert one.init_seconds > 0
        assert one.peak_memory_growth_bytes > 0


def test_a_file_in_another_order_is_asked_and_answers_in_its_own_ids(tmp_path, tflite, histories):
    (tmp_path / "m.tflite").write_bytes(tflite)
    numbers = np.append(0, np.random.default_rng(0).permutation(V) + 1).astype(np.int32)
    one = BenchmarkedModel("file", "tflite", tmp_path / "m.tflite", 1, numbers)
    np.testing.assert_array_equal(one.to_item_ids(one.to_file_ids(histories)), histories)
    (standing,) = time_interleaved([one], histories)
    ids, _ = TFLiteModel(tflite).recommend_all(one.to_file_ids(histories))
    np.testing.assert_array_equal(standing.ids, numbers[ids])


def test_a_contestant_that_cannot_run_is_named_with_its_last_words(tmp_path, histories):
    (tmp_path / "m.tflite").write_bytes(b"x" * 99)
    with pytest.raises(UserError, match=r"broken cannot be measured: .*not a \.tflite model"):
        time_interleaved(
            [BenchmarkedModel("broken", "tflite", tmp_path / "m.tflite", 1)], histories
        )


@pytest.mark.parametrize(("runs", "threads"), [(999, 1), (1000, 0)])
def test_too_few_runs_or_threads_are_refused(tmp_path, histories, runs, threads):
    one = BenchmarkedModel("file", "tflite", tmp_path / "m.tflite", 1)
    with pytest.raises(ValueError, match="at least 1000 and threads at least 1"):
        time_interleaved([one], histories, runs=runs, threads=threads)


def test_no_history_or_nobody_is_refused(tmp_path, histories):
    one = BenchmarkedModel("file", "tflite", tmp_path / "m.tflite", 1)
    with pytest.raises(ValueError, match="at least one"):
        time_interleaved([one], histories[:0])
    with pytest.raises(ValueError, match="at least one"):
        time_interleaved([], histories)


def test_a_saved_perceptron_answers_alike_and_a_tied_table_is_saved_once(tmp_path, perceptron):
    perceptron.save(tmp_path / "m.npz")
    loaded = NumpyMLP.load(tmp_path / "m.npz")
    history = np.array([3, 9, 3, -1, V + 1, 0, 0, 0, 0, 0], np.int32)
    for one, other in zip(loaded.recommend(history), perceptron.recommend(history), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.weights["scoring_table"] is loaded.weights["table"]
    assert not {3, 9} & set(perceptron.recommend(history)[0].tolist())

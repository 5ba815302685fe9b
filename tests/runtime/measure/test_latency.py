from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kd_tf.errors import UserError
from kd_tf.runtime.measure.latency import measure_latency, measure_peak_memory
from kd_tf.runtime.model import TFLiteModel

SCRIPT = Path(__file__).resolve().parents[3] / "export" / "benchmark_tflite.py"


class Recorded(TFLiteModel):
    """Keeps the histories that it was asked for, and whether the collector was on."""

    def __init__(self, source) -> None:
        super().__init__(source)
        self.asked: list[bytes] = []
        self.collecting: set[bool] = set()

    def recommend(self, history):
        self.asked.append(history.tobytes())
        self.collecting.add(gc.isenabled())
        return super().recommend(history)


def test_percentiles_are_in_order_over_at_least_a_thousand_runs(tflite, histories):
    latency = measure_latency(TFLiteModel(tflite, threads=2), histories)
    assert 0 < latency.p50 <= latency.p90 <= latency.p99 < 1e6
    assert latency.runs >= 1000
    assert latency.threads == 2


def test_times_are_microseconds_of_the_whole_call(tflite, histories, monkeypatch):
    from kd_tf.runtime.measure import latency as benchmark

    ticks = iter(range(0, 10**12, 7000))  # each look at the clock is 7 microseconds later
    monkeypatch.setattr(benchmark.time, "perf_counter_ns", lambda: next(ticks))
    latency = measure_latency(TFLiteModel(tflite), histories)
    assert (latency.p50, latency.p90, latency.p99) == (7.0, 7.0, 7.0)


def test_every_history_is_asked_in_turn_after_the_warm_up(tflite, histories):
    model = Recorded(tflite)
    measure_latency(model, histories[:3], warm_up=5, runs=1001)
    rows = [row.tobytes() for row in histories[:3]]
    assert model.asked[:5] == [rows[0], rows[1], rows[2], rows[0], rows[1]]
    assert model.asked[5:] == [rows[call % 3] for call in range(1001)]


def test_the_collector_rests_while_the_clock_runs_and_wakes_again(tflite, histories):
    model = Recorded(tflite)
    measure_latency(model, histories, warm_up=0)
    assert model.collecting == {False}
    assert gc.isenabled()


def test_too_few_runs_or_no_histories_are_refused(tflite, histories):
    model = TFLiteModel(tflite)
    with pytest.raises(ValueError, match="runs must be at least 1000"):
        measure_latency(model, histories, runs=999)
    with pytest.raises(ValueError, match="at least one history"):
        measure_latency(model, histories[:0])


@pytest.mark.slow
def test_peak_memory_grows_with_the_table(tflite, large_tflite, tmp_path):
    small, large = tmp_path / "small.tflite", tmp_path / "large.tflite"
    small.write_bytes(tflite)
    large.write_bytes(large_tflite)
    least = measure_peak_memory(small)
    most = measure_peak_memory(large)
    assert 0 < least < 20e6
    # Every row of the 12.8 MB table is read for the scores.
    assert most - least > 0.9 * 12.8e6


def test_peak_memory_of_a_missing_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"gone\.tflite.*No such file"):
        measure_peak_memory(tmp_path / "gone.tflite")


def run_script(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_measures_a_bundle_and_says_that_histories_are_random(bundle, tmp_path):
    run = run_script(bundle, "--json", tmp_path / "figures.json")
    assert run.returncode == 0, run.stderr
    assert "1000 random ones of items 1..200, seed 0" in run.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["bytes"] == (bundle / "model.tflite").stat().st_size
    assert figures["latency_us"]["p50"] <= figures["latency_us"]["p99"]
    assert figures["latency_us"]["runs"] == 1000
    assert figures["peak_memory_bytes"] > 0


def test_the_script_takes_a_model_and_histories(bundle, tmp_path):
    (tmp_path / "histories.json").write_text("[[1, 2, 3], [], [200]]")
    run = run_script(bundle / "model.tflite", "--histories", tmp_path / "histories.json")
    assert run.returncode == 0, run.stderr
    assert "3 from" in run.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[1], [0]]", "history 2: is not a list of model ids"),
        ('[["Dune"]]', "history 1: is not"),
        ("[]", "holds no histories"),
        ("{", "not valid JSON"),
    ],
)
def test_the_script_names_the_history_that_is_wrong(bundle, tmp_path, content, message):
    (tmp_path / "histories.json").write_text(content)
    run = run_script(bundle, "--histories", tmp_path / "histories.json")
    assert run.returncode == 2
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_random_histories_are_valid():
    import importlib.util

    spec = importlib.util.spec_from_file_location("benchmark_tflite", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for length, items in ((10, 200), (10, 4)):
        rows = script._make_random_histories(300, length, items)
        assert rows.shape == (300, length)
        assert rows.dtype == np.int32
        assert rows.min() == 0
        assert rows.max() == items
        for row in rows:
            read = row[row > 0]
            assert len(read) >= 1
            assert len(set(read)) == len(read)
            assert not row[len(read) :].any()

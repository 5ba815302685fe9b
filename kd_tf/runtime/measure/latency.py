"""How long a .tflite model takes for one answer and how much memory it needs."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import kd_tf
from kd_tf.errors import UserError
from kd_tf.runtime.model import TFLiteModel

MIN_RUNS = 1000
"""Below this the 99th percentile rests on fewer than ten answers."""


@dataclass(frozen=True)
class Latency:
    """Time of one call of ``recommend``, in microseconds.

    Attributes:
        p50, p90, p99: Percentiles over all runs.
        threads: Threads that the interpreter was given.
        runs: How many calls were timed.
    """

    p50: float
    p90: float
    p99: float
    threads: int
    runs: int


def measure_latency(
    model: TFLiteModel, histories: np.ndarray, *, warm_up: int = 50, runs: int = MIN_RUNS
) -> Latency:
    """Times `TFLiteModel.recommend`: the input set, the model run and the answer fetched.

    Args:
        model: Its own number of threads is what is measured.
        histories: int32 [n, L], n at least 1; taken in turn, again from the first when there
            are fewer than `runs`.
        warm_up: Calls before the clock starts.
        runs: Calls that are timed, at least `LEAST_RUNS`.

    Raises:
        ValueError: There are no histories, or too few runs.
    """
    if not len(histories):
        raise ValueError("at least one history is needed")
    if runs < MIN_RUNS:
        raise ValueError(f"runs must be at least {MIN_RUNS}, not {runs}")
    # Rows are cut out beforehand: the loop times the model, not NumPy's indexing.
    rows = [np.ascontiguousarray(histories[row : row + 1]) for row in range(len(histories))]
    for call in range(warm_up):
        model.recommend(rows[call % len(rows)])
    nanoseconds = np.empty(runs, np.int64)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for call in range(runs):
            row = rows[call % len(rows)]
            begin = time.perf_counter_ns()
            model.recommend(row)
            nanoseconds[call] = time.perf_counter_ns() - begin
    finally:
        if collecting:
            gc.enable()
    p50, p90, p99 = (float(value) for value in np.percentile(nanoseconds / 1000, [50, 90, 99]))
    return Latency(p50, p90, p99, model.threads, runs)


def measure_peak_memory(path: str | Path) -> int:
    """By how many bytes a process grows, at its peak, that loads and runs this model.

    Measured in a fresh process after Python, NumPy and LiteRT are imported, with one thread; see
    `kd_tf.runtime.measure.memory`. Some megabytes of it are LiteRT's own code and are the same for
    every model.

    Raises:
        UserError: The model cannot be loaded, or the system does not tell a process's peak.
    """
    probe = subprocess.run(
        [sys.executable, "-m", "kd_tf.runtime.measure.memory", str(path)],
        env=make_subprocess_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode:
        last = (probe.stderr.strip().splitlines() or [f"it ended with {probe.returncode}"])[-1]
        raise UserError(
            f"the peak memory cannot be measured: {last}",
            where=str(path),
            hint="Run python -m kd_tf.runtime.measure.memory on the file to see all it says.",
        )
    return int(probe.stdout)


def make_subprocess_environment() -> dict[str, str]:
    """Of a fresh process that finds this very package, also where it is run from a source tree."""
    root = str(Path(kd_tf.__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

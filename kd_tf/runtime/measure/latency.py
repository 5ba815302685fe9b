"""Measures the latency of single answers and the peak memory of a .tflite model."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import kd_tf
from kd_tf.errors import UserError
from kd_tf.runtime.model import TFLiteModel
from kd_tf.runtime.prediction_model import PredictionModel

MIN_RUNS = 1000
"""Minimum number of timed answers: with fewer, the 99th percentile rests on less than ten."""


@dataclass(frozen=True)
class Latency:
    """Latency of one answer, in microseconds.

    Attributes:
        p50, p90, p99: Percentiles over all runs.
        threads: Number of threads of the interpreter.
        runs: Number of timed calls.
    """

    p50: float
    p90: float
    p99: float
    threads: int
    runs: int


def measure_latency(
    model: TFLiteModel, histories: np.ndarray, *, warm_up: int = 50, runs: int = MIN_RUNS
) -> Latency:
    """Times `TFLiteModel.recommend`: setting the input, running the model, fetching the answer.

    Args:
        model: The model; it uses its own number of threads.
        histories: int32 [n, L], n at least 1, used cyclically.
        warm_up: Untimed calls at the start.
        runs: Timed calls, at least `MIN_RUNS`.

    Returns:
        The percentiles.

    Raises:
        ValueError: There are no histories, or too few runs.
    """
    if not len(histories):
        raise ValueError("at least one history is needed")
    if runs < MIN_RUNS:
        raise ValueError(f"runs must be at least {MIN_RUNS}, not {runs}")
    # Slice the rows in advance: the loop shall time the model, not NumPy's indexing.
    rows = [np.ascontiguousarray(histories[row : row + 1]) for row in range(len(histories))]
    return time_answers(model.recommend, [(row,) for row in rows], model.threads, warm_up, runs)


def measure_prediction_latency(
    model: PredictionModel,
    categorical: np.ndarray,
    numeric: np.ndarray,
    *,
    warm_up: int = 50,
    runs: int = MIN_RUNS,
) -> Latency:
    """Times `PredictionModel.predict` of single rows; see `measure_latency`.

    Args:
        model: The model; it uses its own number of threads.
        categorical: int32 [n, F], n at least 1, used cyclically.
        numeric: float32 [n, G].
        warm_up: Untimed calls at the start.
        runs: Timed calls, at least `MIN_RUNS`.

    Raises:
        ValueError: There are no rows, or too few runs.
    """
    if not len(categorical):
        raise ValueError("at least one row is needed")
    if runs < MIN_RUNS:
        raise ValueError(f"runs must be at least {MIN_RUNS}, not {runs}")
    rows = [
        (np.ascontiguousarray(categorical[row : row + 1]), numeric[row : row + 1])
        for row in range(len(categorical))
    ]
    return time_answers(model.predict, rows, model.threads, warm_up, runs)


def time_answers(
    answer: Callable[..., object],
    inputs: Sequence[tuple[np.ndarray, ...]],
    threads: int,
    warm_up: int,
    runs: int,
) -> Latency:
    """Times calls of a function.

    Args:
        answer: The function.
        inputs: Its arguments, used cyclically.
        threads: Number of threads that the function uses, for the result.
        warm_up: Untimed calls at the start.
        runs: Timed calls.
    """
    for call in range(warm_up):
        answer(*inputs[call % len(inputs)])
    nanoseconds = np.empty(runs, np.int64)
    is_gc_enabled = gc.isenabled()
    gc.disable()
    try:
        for call in range(runs):
            arguments = inputs[call % len(inputs)]
            begin = time.perf_counter_ns()
            answer(*arguments)
            nanoseconds[call] = time.perf_counter_ns() - begin
    finally:
        if is_gc_enabled:
            gc.enable()
    p50, p90, p99 = (float(value) for value in np.percentile(nanoseconds / 1000, [50, 90, 99]))
    return Latency(p50, p90, p99, threads, runs)


def measure_peak_memory(path: str | Path) -> int:
    """Measures by how many bytes a process grows, at its peak, when it loads and runs a model.

    Runs in a fresh process with one thread, and counts from after the import of Python, NumPy and
    LiteRT; see `kd_tf.runtime.measure.memory`. A few megabytes are LiteRT's own code, the same
    for every model.

    Args:
        path: The .tflite file.

    Returns:
        The growth in bytes.

    Raises:
        UserError: The model cannot be loaded, or the system does not report peak memory.
    """
    process = subprocess.run(
        [sys.executable, "-m", "kd_tf.runtime.measure.memory", str(path)],
        env=make_subprocess_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        message = lines[-1] if lines else f"the process ended with exit code {process.returncode}"
        raise UserError(
            f"the peak memory cannot be measured: {message}",
            where=str(path),
            hint="Run python -m kd_tf.runtime.measure.memory on the file to see its full output.",
        )
    return int(process.stdout)


def make_subprocess_environment() -> dict[str, str]:
    """Returns environment variables with which a subprocess imports this copy of the package.

    Returns:
        The environment of this process, with the package's parent folder first in PYTHONPATH.
    """
    root = str(Path(kd_tf.__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

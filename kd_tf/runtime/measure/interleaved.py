"""Times several recommenders in turns, so that changes of the machine's speed affect all alike.

Each model runs in its own fresh process. The models take turns of a few answers each, so that a
busy moment or a hot processor slows down all of them. The ratio of two latencies from one run is
reliable, that of two separate runs is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.measure.latency import MIN_RUNS, Latency, make_subprocess_environment

NUM_TURNS = 20
"""Number of turns of each model."""

WARM_UP_RUNS = 50
"""Untimed answers at the start of each turn. Without them, half of the timed answers waited for
memory after another model's turn: 66 us instead of the usual 29 us."""


@dataclass(frozen=True)
class BenchmarkedModel:
    """A model file in a benchmark.

    Attributes:
        name: Name in the results.
        engine: How the file is run: a key of `kd_tf.runtime.measure.worker.ENGINES`.
        path: The file.
        floor_bytes: Bytes that the weights alone need.
        item_ids: int32 [V + 1], for a file with the items in another order: the common item id
            of each id in the file. None if the ids are the same.

    Example:
        >>> item_ids = np.array([0, 3, 1, 2], np.int32)
        >>> model = BenchmarkedModel("mlp", "tflite", Path("model.tflite"), 900, item_ids)
        >>> model.to_file_ids(np.array([[3, 2, 0]])).tolist()
        [[1, 3, 0]]
        >>> model.to_item_ids(np.array([1, 2])).tolist()
        [3, 1]
    """

    name: str
    engine: str
    path: Path
    floor_bytes: int
    item_ids: np.ndarray | None = None

    def to_file_ids(self, histories: np.ndarray) -> np.ndarray:
        """Converts histories from common item ids to the ids of the file."""
        if self.item_ids is None:
            return histories
        file_ids = np.empty_like(self.item_ids)
        file_ids[self.item_ids] = np.arange(len(self.item_ids), dtype=np.int32)
        return np.asarray(file_ids[histories])

    def to_item_ids(self, ids: np.ndarray) -> np.ndarray:
        """Converts ids of the file to common item ids."""
        return ids if self.item_ids is None else np.asarray(self.item_ids[ids])


@dataclass(frozen=True)
class Measurement:
    """Measurements of one model with one number of threads.

    Attributes:
        model: The model.
        latency: Latency of single answers.
        init_seconds: Time to load the model and compute a first answer.
        peak_memory_growth_bytes: Growth of its process's peak memory since before loading.
        ids: int32 [n, K], its recommendations for all histories, as common item ids.
    """

    model: BenchmarkedModel
    latency: Latency
    init_seconds: float
    peak_memory_growth_bytes: int
    ids: np.ndarray


def time_interleaved(
    models: Sequence[BenchmarkedModel],
    histories: np.ndarray,
    *,
    threads: int = 1,
    runs: int = MIN_RUNS,
    progress: Progress | None = None,
) -> list[Measurement]:
    """Measures several models on the same histories, in turns.

    Args:
        models: The models, at least one.
        histories: int32 [n, L], n at least 1, used cyclically.
        threads: Threads of each model, at least 1.
        runs: Timed answers of each model, at least `MIN_RUNS`.
        progress: Reports progress per turn.

    Returns:
        The measurements in the order of `models`.

    Raises:
        UserError: A model cannot be loaded or run; the message has the last line of its output.
        ValueError: There are no histories or models, or too few runs or threads.
    """
    if not len(models) or not len(histories):
        raise ValueError("at least one model and one history are needed")
    if runs < MIN_RUNS or threads < 1:
        raise ValueError(
            f"runs must be at least {MIN_RUNS} and threads at least 1, not {runs} and {threads}"
        )
    with tempfile.TemporaryDirectory() as folder:
        workers: list[_Worker] = []
        try:
            for index, model in enumerate(models):
                histories_file = Path(folder) / f"histories-{index}.npy"
                np.save(
                    histories_file, np.ascontiguousarray(model.to_file_ids(histories), np.int32)
                )
                workers.append(_Worker(model, histories_file, threads))
            nanoseconds: list[list[int]] = [[] for _ in models]
            with (progress or NullProgress()).task("timing", NUM_TURNS) as advance:
                for turn in range(NUM_TURNS):
                    count = runs * (turn + 1) // NUM_TURNS - runs * turn // NUM_TURNS
                    for worker, times in zip(workers, nanoseconds, strict=True):
                        response = worker.send(f"time {WARM_UP_RUNS + count}")
                        times.extend(response["nanoseconds"][WARM_UP_RUNS:])
                    advance(1)
            measurements = []
            for index, (worker, times) in enumerate(zip(workers, nanoseconds, strict=True)):
                p50, p90, p99 = np.percentile(np.array(times) / 1000, [50, 90, 99]).tolist()
                growth = int(worker.send("memory")["bytes"])
                ids_file = Path(folder) / f"{index}.npy"
                worker.send(f"answer {ids_file}")
                measurements.append(
                    Measurement(
                        worker.model,
                        Latency(p50, p90, p99, threads, runs),
                        worker.init_seconds,
                        growth,
                        worker.model.to_item_ids(np.load(ids_file, allow_pickle=False)),
                    )
                )
            return measurements
        finally:
            for worker in workers:
                worker.close()


class _Worker:
    """A process that runs one model on command (`kd_tf.runtime.measure.worker`)."""

    def __init__(self, model: BenchmarkedModel, histories_file: Path, threads: int) -> None:
        self.model = model
        num_threads = str(threads)
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kd_tf.runtime.measure.worker", model.engine),
                *(str(model.path), str(histories_file), num_threads),
            ],
            env={
                **make_subprocess_environment(),
                "OMP_NUM_THREADS": num_threads,
                "OPENBLAS_NUM_THREADS": num_threads,
                "MKL_NUM_THREADS": num_threads,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.init_seconds = float(self._read()["init_seconds"])

    def send(self, command: str) -> dict[str, Any]:
        """Sends a command and waits for the response."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # `_read` reports the cause
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines()
            message = lines[-1] if lines else "its process ended without an error message"
            raise UserError(
                f"{self.model.name} cannot be measured: {message}",
                where=str(self.model.path),
                hint="Choose other models with --competitors, or free memory if it ran out.",
            )
        response: dict[str, Any] = json.loads(line)
        return response

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

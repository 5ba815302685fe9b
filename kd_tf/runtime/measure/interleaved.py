"""Several recommenders timed in one run, so that what the machine does meets all of them.

Every contestant has a fresh process of its own; they take turns, a few answers each, so that a
busy moment or a hot processor slows all alike. A ratio of two of them can be believed where the
same two figures from two runs cannot.
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
"""How often each takes its turn."""

WARM_UP_RUNS = 50
"""Answers at the start of every turn before the clock counts. Without them the first answers after
somebody else's turn, which wait for memory, were half of all: 66 us where 29 us are the rule."""


@dataclass(frozen=True)
class BenchmarkedModel:
    """What takes part.

    Attributes:
        name: In the table.
        kind: How it is run: a key of `kd_tf.runtime.measure.worker.KINDS`.
        path: Its file.
        floor_bytes: What its weights alone need.
        numbers: int32 [V + 1], for a file whose books are in another order: the book that each of
            its ids stands for. It is asked, and answers, in its own ids.
    """

    name: str
    engine: str
    path: Path
    floor_bytes: int
    item_ids: np.ndarray | None = None

    def to_file_ids(self, histories: np.ndarray) -> np.ndarray:
        """Histories in the ids of the file."""
        if self.item_ids is None:
            return histories
        places = np.empty_like(self.item_ids)
        places[self.item_ids] = np.arange(len(self.item_ids), dtype=np.int32)
        return np.asarray(places[histories])

    def to_item_ids(self, ids: np.ndarray) -> np.ndarray:
        """Answers of the file in the ids of all."""
        return ids if self.item_ids is None else np.asarray(self.item_ids[ids])


@dataclass(frozen=True)
class Measurement:
    """What was measured of one contestant with one number of threads.

    Attributes:
        contestant: Who.
        latency: Of single answers.
        init_seconds: To load and give a first answer.
        peak_memory_growth_bytes: Of its process, from before it loaded.
        ids: int32 [n, K], its answers to all histories, in the ids of all.
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
    """Measures all of them on the same histories, in turns.

    Args:
        contestants: At least one.
        histories: int32 [n, L], n at least 1, taken in turn.
        threads: Of each, at least 1.
        runs: Answers that are timed of each, at least `LEAST_RUNS`.
        progress: Shown while it runs.

    Raises:
        UserError: One of them cannot be loaded or run; the message has its last line.
        ValueError: There are no histories or contestants, or too few runs or threads.
    """
    if not len(models) or not len(histories):
        raise ValueError("at least one contestant and one history are needed")
    if runs < MIN_RUNS or threads < 1:
        raise ValueError(
            f"runs must be at least {MIN_RUNS} and threads at least 1, not {runs} and {threads}"
        )
    with tempfile.TemporaryDirectory() as folder:
        processes: list[_Worker] = []
        try:
            for number, one in enumerate(models):
                asked = Path(folder) / f"histories-{number}.npy"
                np.save(asked, np.ascontiguousarray(one.to_file_ids(histories), np.int32))
                processes.append(_Worker(one, asked, threads))
            times: list[list[int]] = [[] for _ in models]
            with (progress or NullProgress()).task("timing", NUM_TURNS) as advance:
                for turn in range(NUM_TURNS):
                    count = runs * (turn + 1) // NUM_TURNS - runs * turn // NUM_TURNS
                    for process, taken in zip(processes, times, strict=True):
                        answered = process.send(f"time {WARM_UP_RUNS + count}")["nanoseconds"]
                        taken.extend(answered[WARM_UP_RUNS:])
                    advance(1)
            standings = []
            for number, (process, taken) in enumerate(zip(processes, times, strict=True)):
                p50, p90, p99 = np.percentile(np.array(taken) / 1000, [50, 90, 99]).tolist()
                growth = int(process.send("memory")["bytes"])
                answers = Path(folder) / f"{number}.npy"
                process.send(f"answer {answers}")
                standings.append(
                    Measurement(
                        process.model,
                        Latency(p50, p90, p99, threads, runs),
                        process.init_seconds,
                        growth,
                        process.model.to_item_ids(np.load(answers, allow_pickle=False)),
                    )
                )
            return standings
        finally:
            for process in processes:
                process.close()


class _Worker:
    """A contestant that waits for its turn."""

    def __init__(self, contestant: BenchmarkedModel, histories: Path, threads: int) -> None:
        self.model = contestant
        count = str(threads)
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `end`)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kd_tf.runtime.measure.worker", contestant.engine),
                *(str(contestant.path), str(histories), count),
            ],
            env={
                **make_subprocess_environment(),
                "OMP_NUM_THREADS": count,
                "OPENBLAS_NUM_THREADS": count,
                "MKL_NUM_THREADS": count,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.init_seconds = float(self._read()["init_seconds"])

    def send(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what went wrong is read below
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines() or ["it ended without a word"]
            raise UserError(
                f"{self.model.name} cannot be measured: {said[-1]}",
                where=str(self.model.path),
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

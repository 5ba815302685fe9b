"""Trainings in several processes at once, as many as cores and memory allow."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

_THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

_worker_state: Any = None
"""Of a worker process: what its tasks share."""


@dataclass(frozen=True)
class ProcessPool:
    """How many processes there may be.

    Attributes:
        most: At most so many at once; with 1 everything happens in this process.
        memory: Bytes that all of them together may take. The first task is run by one process
            alone, and the peak of its memory says how many fit.
    """

    max_workers: int = 1
    max_memory_bytes: int | None = None

    def map(
        self,
        function: Callable[[Shared, Task], Result],
        tasks: Sequence[Task],
        shared: Shared,
        make_shared: Callable[..., Shared],
        make_arguments: tuple[Any, ...],
    ) -> Iterator[Result]:
        """``work(shared, task)`` of every task, in their order.

        Args:
            work: A function of a module.
            tasks: What differs.
            shared: What all tasks share, here.
            make: Makes it in another process, of `arguments`.
            arguments: Can be sent to another process.
        """
        if self.max_workers == 1 or len(tasks) == 1:
            for task in tasks:
                yield function(shared, task)
            return
        with _limit_threads(max((os.cpu_count() or 1) // self.max_workers, 1)):
            with _make_executor(1, make_shared, make_arguments) as pool:
                found, peak = pool.submit(_run_and_measure_memory, function, tasks[0]).result()
                yield found
            with _make_executor(self.limit_workers(peak), make_shared, make_arguments) as pool:
                try:
                    for found, _ in pool.map(
                        _run_and_measure_memory, [function] * (len(tasks) - 1), tasks[1:]
                    ):
                        yield found
                finally:
                    pool.shutdown(cancel_futures=True)

    def limit_workers(self, peak_bytes: int) -> int:
        """How many processes of `peak` bytes each there may be."""
        if self.max_memory_bytes is None:
            return self.max_workers
        return max(min(self.max_workers, self.max_memory_bytes // peak_bytes), 1)


def _make_executor(
    processes: int, make_shared: Callable[..., Any], make_arguments: tuple[Any, ...]
) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes,
        # A fork of a process in which TensorFlow has threads stands still.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_initialize_worker,
        initargs=(make_shared, make_arguments),
    )


def _initialize_worker(make_shared: Callable[..., Any], make_arguments: tuple[Any, ...]) -> None:
    global _shared
    _worker_state = make_shared(*make_arguments)


def _run_and_measure_memory(function: Callable[[Any, Any], Any], task: Any) -> tuple[Any, int]:
    found = function(_worker_state, task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found, peak * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def _limit_threads(threads_per_process: int) -> Iterator[None]:
    """Processes that begin here have so many threads."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads_per_process)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

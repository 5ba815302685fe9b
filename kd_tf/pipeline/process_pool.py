"""Runs tasks in several processes, as many as cores and memory allow."""

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
"""In a worker process: the object that its tasks share."""


@dataclass(frozen=True)
class ProcessPool:
    """A pool of processes that is limited by memory as well as by a number of workers.

    Attributes:
        max_workers: Maximum number of processes at once; with 1, all tasks run in this process.
        max_memory_bytes: Maximum memory of all processes together. The first task runs alone, and
            its peak memory determines the number of workers. None: no limit.

    Example:
        >>> import operator
        >>> list(ProcessPool().map(operator.mul, [1, 2, 3], 10, int, ()))
        [10, 20, 30]
        >>> ProcessPool(max_workers=8, max_memory_bytes=16 * 10**9).limit_workers(3 * 10**9)
        5
    """

    max_workers: int = 1
    max_memory_bytes: int | None = None

    def map(
        self,
        function: Callable[[Shared, Task], Result],
        tasks: Sequence[Task],
        shared_state: Shared,
        make_shared: Callable[..., Shared],
        make_arguments: tuple[Any, ...],
    ) -> Iterator[Result]:
        """Yields ``function(shared_state, task)`` for every task, in order.

        Args:
            function: A module-level function.
            tasks: Its second arguments; they are sent to the processes.
            shared_state: Its first argument in this process.
            make_shared: Builds the first argument in another process.
            make_arguments: Arguments of `make_shared`; they are sent to the processes.
        """
        if self.max_workers == 1 or len(tasks) == 1:
            for task in tasks:
                yield function(shared_state, task)
            return
        with _limit_threads(max((os.cpu_count() or 1) // self.max_workers, 1)):
            with _make_executor(1, make_shared, make_arguments) as pool:
                first = pool.submit(_run_and_measure_memory, function, tasks[0])
                result, peak_bytes = first.result()
                yield result
            with _make_executor(
                self.limit_workers(peak_bytes), make_shared, make_arguments
            ) as pool:
                try:
                    for result, _ in pool.map(
                        _run_and_measure_memory, [function] * (len(tasks) - 1), tasks[1:]
                    ):
                        yield result
                finally:
                    pool.shutdown(cancel_futures=True)

    def limit_workers(self, peak_bytes: int) -> int:
        """Returns the number of workers that fit into memory with `peak_bytes` each."""
        if self.max_memory_bytes is None:
            return self.max_workers
        return max(min(self.max_workers, self.max_memory_bytes // peak_bytes), 1)


def _make_executor(
    processes: int, make_shared: Callable[..., Any], make_arguments: tuple[Any, ...]
) -> ProcessPoolExecutor:
    """Starts processes that each build the shared object once."""
    return ProcessPoolExecutor(
        processes,
        # A forked process hangs if TensorFlow has started threads before.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_initialize_worker,
        initargs=(make_shared, make_arguments),
    )


def _initialize_worker(make_shared: Callable[..., Any], make_arguments: tuple[Any, ...]) -> None:
    """Builds the object that all tasks of this process share."""
    global _worker_state
    _worker_state = make_shared(*make_arguments)


def _run_and_measure_memory(function: Callable[[Any, Any], Any], task: Any) -> tuple[Any, int]:
    """Runs a task in a worker; returns its result and the process's peak memory in bytes."""
    result = function(_worker_state, task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # ru_maxrss is in kibibytes, but in bytes on macOS.
    return result, peak * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def _limit_threads(threads_per_process: int) -> Iterator[None]:
    """Limits the threads of processes that start inside the block."""
    previous = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads_per_process)))
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

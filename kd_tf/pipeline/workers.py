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

_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Found = TypeVar("Found")

_shared: Any = None
"""Of a worker process: what its tasks share."""


@dataclass(frozen=True)
class Workers:
    """How many processes there may be.

    Attributes:
        most: At most so many at once; with 1 everything happens in this process.
        memory: Bytes that all of them together may take. The first task is run by one process
            alone, and the peak of its memory says how many fit.
    """

    most: int = 1
    memory: int | None = None

    def each(
        self,
        work: Callable[[Shared, Task], Found],
        tasks: Sequence[Task],
        shared: Shared,
        make: Callable[..., Shared],
        arguments: tuple[Any, ...],
    ) -> Iterator[Found]:
        """``work(shared, task)`` of every task, in their order.

        Args:
            work: A function of a module.
            tasks: What differs.
            shared: What all tasks share, here.
            make: Makes it in another process, of `arguments`.
            arguments: Can be sent to another process.
        """
        if self.most == 1 or len(tasks) == 1:
            for task in tasks:
                yield work(shared, task)
            return
        with _threads(max((os.cpu_count() or 1) // self.most, 1)):
            with _pool(1, make, arguments) as pool:
                found, peak = pool.submit(_measured, work, tasks[0]).result()
                yield found
            with _pool(self.fitting(peak), make, arguments) as pool:
                try:
                    for found, _ in pool.map(_measured, [work] * (len(tasks) - 1), tasks[1:]):
                        yield found
                finally:
                    pool.shutdown(cancel_futures=True)

    def fitting(self, peak: int) -> int:
        """How many processes of `peak` bytes each there may be."""
        if self.memory is None:
            return self.most
        return max(min(self.most, self.memory // peak), 1)


def _pool(
    processes: int, make: Callable[..., Any], arguments: tuple[Any, ...]
) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes,
        # A fork of a process in which TensorFlow has threads stands still.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(make, arguments),
    )


def _begin(make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    global _shared
    _shared = make(*arguments)


def _measured(work: Callable[[Any, Any], Any], task: Any) -> tuple[Any, int]:
    found = work(_shared, task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found, peak * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def _threads(each: int) -> Iterator[None]:
    """Processes that begin here have so many threads."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(each)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

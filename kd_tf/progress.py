"""The interface through which long work reports its progress."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

Advance = Callable[..., None]
"""``advance(steps=1, note="")`` counts finished steps; `note` is shown beside the bar."""


class Progress(Protocol):
    """What long work reports to.

    Functions take one as an argument and never print by themselves. `NullProgress` discards
    everything; `kd_tf.cli.progress_bars.ConsoleProgress` shows bars on a terminal.
    """

    def task(self, label: str, total: int) -> contextlib.AbstractContextManager[Advance]:
        """Opens a task.

        Args:
            label: What the bar says.
            total: Number of steps.

        Returns:
            A context manager that yields the function that advances the task.
        """

    def info(self, message: str) -> None:
        """Reports a message, for example the result of a stage."""

    def warn(self, message: str) -> None:
        """Reports something that the user should know or act on."""


class NullProgress:
    """A `Progress` that discards everything.

    Example:
        >>> progress = NullProgress()
        >>> with progress.task("training", 2) as advance:
        ...     advance(1, note="loss 0.7")
        ...     advance(1)
        >>> progress.info("done")
    """

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        """Yields a function that does nothing."""
        yield lambda steps=1, note="": None

    def info(self, message: str) -> None:
        """Discards the message."""

    def warn(self, message: str) -> None:
        """Discards the message."""

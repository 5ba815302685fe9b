"""Progress of long work: one interface, shown as bars with the time left, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

Advance = Callable[..., None]
"""``advance(steps=1, note="")``: some steps are done; `note` stands beside the bar."""


class Progress(Protocol):
    """What long work reports to. Rooms take one as an argument and never print."""

    def task(self, label: str, total: int) -> contextlib.AbstractContextManager[Advance]:
        """Opens a task of `total` steps; the context yields the function that advances it."""

    def info(self, message: str) -> None:
        """A line that stays, for example how a stage ended."""

    def warn(self, message: str) -> None:
        """A line that the caller should act on or know about."""


class NullProgress:
    """Reports nothing."""

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        yield lambda steps=1, note="": None

    def info(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass

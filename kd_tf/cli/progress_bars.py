"""Progress on a terminal: bars with the time left, and lines that stay."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from kd_tf.progress import Advance


class ConsoleProgress:
    """Shows long work on stderr, so that stdout holds only what was asked for."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        """A bar; it leaves nothing behind when it is done."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            bar = bars.add_task(label, total=total, note="")

            def advance(steps: int = 1, note: str = "") -> None:
                bars.update(bar, advance=steps, note=note)

            yield advance

    def info(self, message: str) -> None:
        """A line that stays."""
        self.console.print(message, highlight=False, markup=False)

    def warn(self, message: str) -> None:
        """A line that stands out."""
        self.console.print(f"note: {message}", style="yellow", highlight=False, markup=False)

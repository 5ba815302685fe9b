"""Shows progress on a terminal, as bars with the remaining time."""

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

from kd_tf.cli.console import make_console
from kd_tf.progress import Advance


class ConsoleProgress:
    """A `Progress` that shows bars and messages on stderr; stdout is for results only.

    Args:
        console: Where to print; by default stderr.

    Example:
        >>> import sys
        >>> progress = ConsoleProgress(Console(file=sys.stdout, width=60))
        >>> progress.info("2,000 items")
        2,000 items
        >>> progress.warn("no timestamps")
        note: no timestamps
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or make_console(stderr=True)

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        """Shows a bar until the block ends."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            bar = bars.add_task(label, total=total, note="")

            def advance(steps: int = 1, note: str = "") -> None:
                bars.update(bar, advance=steps, note=note)

            yield advance

    def info(self, message: str) -> None:
        """Prints a message."""
        self.console.print(message, highlight=False, markup=False, emoji=False)

    def warn(self, message: str) -> None:
        """Prints a message in another color."""
        self.console.print(
            f"note: {message}", style="yellow", highlight=False, markup=False, emoji=False
        )

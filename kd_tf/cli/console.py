"""The console of every command: texts from files are shown as they are and control nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from kd_tf.control_characters import replace_control_characters


class SafeConsole(Console):
    """A console of rich whose output has no control characters but rich's own."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Renders an object to segments of text and style."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(replace_control_characters(segment.text), segment.style)


def make_console(**arguments: Any) -> Console:
    """Makes the console of a command, with the arguments of `rich.console.Console`.

    ``[...]`` and ``:word:`` in a text are text, because a title or a path may have them.
    """
    return SafeConsole(highlight=False, markup=False, emoji=False, **arguments)

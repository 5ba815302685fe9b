"""The console of every command: texts from files cannot control the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_CONTROL = re.compile(
    # C0 and C1 control characters but tab and line feed, and what changes the direction of writing.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def replace_control_characters(text: str) -> str:
    """Replaces what a terminal would obey instead of showing.

    Args:
        text: Any text, for example a title from somebody else's bundle.

    Returns:
        The text with a replacement character for each control character but tab and line feed.

    Example:
        >>> replace_control_characters("Dune\\x1b[2J")
        'Dune\\ufffd[2J'
    """
    return _CONTROL.sub(REPLACEMENT, text)


def escape_control_characters(json_text: str) -> str:
    """Escapes the control characters that JSON allows in its strings.

    Example:
        >>> escape_control_characters('"Dune\\x9b2J"')
        '"Dune\\\\u009b2J"'
    """
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", json_text)


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
    """Makes the console of a command, with the arguments of `rich.console.Console`."""
    # Without emoji codes: ":dog:" in a title stays what it is.
    return SafeConsole(highlight=False, emoji=False, **arguments)

"""Replaces what a terminal would obey instead of showing."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    # C0 and C1 control characters but tab and line feed, what changes the direction of writing, and
    # the separators of lines and paragraphs.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
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

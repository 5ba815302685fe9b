"""How the closed forms share the cores: blocks of books, a few at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator

BOOKS_AT_ONCE = 256


def threads() -> int:
    """How many blocks are worked on at a time."""
    return os.cpu_count() or 1


def blocks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """``(start, end)`` in parts of at most `BOOKS_AT_ONCE`."""
    for first in range(start, end, BOOKS_AT_ONCE):
        yield first, min(first + BOOKS_AT_ONCE, end)

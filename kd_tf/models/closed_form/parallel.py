"""How the closed forms share the cores: blocks of books, a few at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator

BLOCK_SIZE = 256


def count_threads() -> int:
    """How many blocks are worked on at a time."""
    return os.cpu_count() or 1


def split_into_blocks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """``(start, end)`` in parts of at most `BOOKS_AT_ONCE`."""
    for first in range(start, end, BLOCK_SIZE):
        yield first, min(first + BLOCK_SIZE, end)

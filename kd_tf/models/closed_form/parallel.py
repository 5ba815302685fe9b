"""Splits the closed-form fits into blocks of items that threads work on in parallel."""

from __future__ import annotations

import os
from collections.abc import Iterator

BLOCK_SIZE = 256
"""Items in a block."""


def count_threads() -> int:
    """Returns how many blocks are processed in parallel: one for each CPU core."""
    return os.cpu_count() or 1


def split_into_blocks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the half-open range ``start..end`` in blocks of at most `BLOCK_SIZE`."""
    for first in range(start, end, BLOCK_SIZE):
        yield first, min(first + BLOCK_SIZE, end)

"""Many reading histories of different length in two flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Histories:
    """Ragged rows of model ids, oldest first.

    Attributes:
        items: int32 [total], ids 1..V of all histories one after the other.
        offsets: int64 [n + 1]; history ``r`` is ``items[offsets[r]:offsets[r + 1]]``.
    """

    items: np.ndarray
    offsets: np.ndarray

    def __post_init__(self) -> None:
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.items):
            raise ValueError("offsets must begin with 0 and end with the number of items")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """int64 [n], how many books each history has."""
        return np.diff(self.offsets)

    def padded(self, length: int) -> np.ndarray:
        """int32 [n, length]: the newest `length` ids, oldest first, padded with 0 at the end."""
        kept = np.minimum(self.lengths, length)
        column = np.arange(length)
        filled = column < kept[:, None]
        source = (self.offsets[1:] - kept)[:, None] + column
        padded = np.zeros((len(self), length), np.int32)
        padded[filled] = self.items[source[filled]]
        return padded

    def take(self, rows: np.ndarray) -> Histories:
        """The histories with these indices, in this order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Histories(self.items[np.repeat(self.offsets[:-1][rows], lengths) + within], offsets)


def from_lists(rows: list[list[int]] | list[np.ndarray]) -> Histories:
    """Histories from one sequence of ids a reader."""
    lengths = [len(row) for row in rows]
    items = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else np.empty(0)
    return Histories(
        items.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    )

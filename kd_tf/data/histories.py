"""Many reading histories of different length in two flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Histories:
    """Ragged rows of model ids, oldest first.

    Attributes:
        items: int32 [total], ids 1..V of all histories one after the other.
        offsets: int64 [n + 1]; history ``r`` is ``items[offsets[r]:offsets[r + 1]]``.
        weights: float32 [total], above 0: how much each item counts (see
            `kd_tf.data.clean.CleaningRules`); None where all count the same.
        readers: int32 [n], the readers' numbers in `kd_tf.data.interactions.Interactions`, for
            models that know readers by number; None where they are not known.
    """

    items: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray | None = None
    users: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.items):
            raise ValueError("offsets must begin with 0 and end with the number of items")
        if self.weights is not None and len(self.weights) != len(self.items):
            raise ValueError(f"{len(self.weights)} weights for {len(self.items)} items")
        if self.users is not None and len(self.users) != len(self):
            raise ValueError(f"{len(self.users)} readers for {len(self)} histories")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """int64 [n], how many books each history has."""
        return np.diff(self.offsets)

    def pad(self, length: int) -> np.ndarray:
        """int32 [n, length]: the newest `length` ids, oldest first, padded with 0 at the end."""
        kept = np.minimum(self.lengths, length)
        column = np.arange(length)
        filled = column < kept[:, None]
        source = (self.offsets[1:] - kept)[:, None] + column
        padded = np.zeros((len(self), length), np.int32)
        padded[filled] = self.items[source[filled]]
        return padded

    def keep_newest(self, length: int) -> Histories:
        """The same readers with only the newest `length` books of each."""
        behind = np.repeat(self.offsets[1:], self.lengths) - np.arange(len(self.items))
        return self.keep(behind <= length)

    def take(self, rows: np.ndarray) -> Histories:
        """The histories with these indices, in this order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        source = np.repeat(self.offsets[:-1][rows], lengths) + within
        weights = None if self.weights is None else self.weights[source]
        users = None if self.users is None else self.users[rows]
        return Histories(self.items[source], offsets, weights, users)

    def keep(self, items: np.ndarray) -> Histories:
        """The same readers with only those items for which boolean `items` [total] is true."""
        row = np.repeat(np.arange(len(self)), self.lengths)[items]
        lengths = np.bincount(row, minlength=len(self))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        weights = None if self.weights is None else self.weights[items]
        return Histories(self.items[items], offsets, weights, self.users)

    def to_csr_matrix(self, num_items: int) -> sparse.csr_array:
        """float32 CSR [n, `books` + 1]: an item's weight, or 1, where it stands in the history.

        A book that stands in a history more than once counts once, with its greatest weight.
        """
        row = np.repeat(np.arange(len(self)), self.lengths)
        weights = np.ones(len(self.items), np.float32) if self.weights is None else self.weights
        order = np.lexsort((weights, self.items, row))
        row, items, weights = row[order], self.items[order], weights[order]
        last = np.append((row[1:] != row[:-1]) | (items[1:] != items[:-1]), True)[: len(row)]
        return sparse.csr_array(
            (weights[last].astype(np.float32), (row[last], items[last])),
            shape=(len(self), num_items + 1),
        )


def from_padded(rows: np.ndarray) -> Histories:
    """Histories from int32 [n, L], oldest first, 0 is padding wherever it stands."""
    there = rows > 0
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
    return Histories(rows[there].astype(np.int32), offsets)


def from_lists(rows: list[list[int]] | list[np.ndarray]) -> Histories:
    """Histories from one sequence of ids a reader."""
    lengths = [len(row) for row in rows]
    items = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else np.empty(0)
    return Histories(
        items.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    )

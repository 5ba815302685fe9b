"""Interaction histories of different length, stored in two flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Histories:
    """Ragged rows of model ids, oldest first.

    Attributes:
        items: int32 [total], ids 1..V of all histories, concatenated.
        offsets: int64 [n + 1]; history ``r`` is ``items[offsets[r]:offsets[r + 1]]``.
        weights: float32 [total], above 0: the weight of each item (see
            `kd_tf.data.clean.CleaningRules`); None for equal weights.
        users: int32 [n], user indices as in `kd_tf.data.interactions.Interactions`, for models
            that look users up by id; None where unknown.

    Raises:
        ValueError: The lengths of the arrays do not match.

    Example:
        >>> histories = from_lists([[3, 1, 2], [4]])
        >>> len(histories), histories.lengths.tolist()
        (2, [3, 1])
        >>> histories[0].tolist()
        [3, 1, 2]
        >>> histories.pad(2)
        array([[1, 2],
               [4, 0]], dtype=int32)
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
            raise ValueError(f"{len(self.users)} users for {len(self)} histories")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """int64 [n], the number of items of each history."""
        return np.diff(self.offsets)

    def pad(self, length: int) -> np.ndarray:
        """Returns the newest `length` ids of each history, padded with 0 at the end.

        Returns:
            int32 [n, length], oldest first.
        """
        counts = np.minimum(self.lengths, length)
        column = np.arange(length)
        mask = column < counts[:, None]
        source = (self.offsets[1:] - counts)[:, None] + column
        padded_rows = np.zeros((len(self), length), np.int32)
        padded_rows[mask] = self.items[source[mask]]
        return padded_rows

    def keep_newest(self, length: int) -> Histories:
        """Truncates every history to its newest `length` items."""
        age = np.repeat(self.offsets[1:], self.lengths) - np.arange(len(self.items))
        return self.keep(age <= length)

    def take(self, rows: np.ndarray) -> Histories:
        """Returns the histories with these row indices, in this order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        source = np.repeat(self.offsets[:-1][rows], lengths) + position
        weights = None if self.weights is None else self.weights[source]
        users = None if self.users is None else self.users[rows]
        return Histories(self.items[source], offsets, weights, users)

    def keep(self, mask: np.ndarray) -> Histories:
        """Keeps the items where the boolean `mask` [total] is true; no history is removed."""
        row = np.repeat(np.arange(len(self)), self.lengths)[mask]
        lengths = np.bincount(row, minlength=len(self))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        weights = None if self.weights is None else self.weights[mask]
        return Histories(self.items[mask], offsets, weights, self.users)

    def join(self, other: Histories) -> Histories:
        """Appends the items of other histories of the same users, row by row."""
        rows = np.concatenate(
            [np.repeat(np.arange(len(part)), part.lengths) for part in (self, other)]
        )
        order = np.argsort(rows, kind="stable")
        weights = None
        if self.weights is not None and other.weights is not None:
            weights = np.concatenate([self.weights, other.weights])[order]
        items = np.concatenate([self.items, other.items])[order]
        return Histories(items, self.offsets + other.offsets, weights, self.users)

    def to_csr_matrix(self, num_items: int) -> sparse.csr_array:
        """Converts the histories to a sparse user-item matrix.

        An item that occurs more than once in a history counts once, with its greatest weight.

        Returns:
            float32 CSR [n, num_items + 1]: the weight of each item of a history, 1 without
            weights. Column 0 is padding.
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
    """Builds histories from int32 [n, L], oldest first; a 0 at any position is padding."""
    mask = rows > 0
    offsets = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
    return Histories(rows[mask].astype(np.int32), offsets)


def from_lists(rows: list[list[int]] | list[np.ndarray]) -> Histories:
    """Builds histories from one sequence of ids per user."""
    lengths = [len(row) for row in rows]
    items = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else np.empty(0)
    return Histories(
        items.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    )

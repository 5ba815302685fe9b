"""What rows say and what their users liked to read, as vectors: inputs of a teacher alone."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RowTexts:
    """The vectors of the texts of rows; all parts of a split share the two tables.

    Attributes:
        ids: int32 [n, 2]: the row of `vectors` with the row's own text, and the row of `profiles`
            with the texts that its user liked; 0 where there is none.
        vectors: float32 [T + 1, d], one row per distinct text; row 0 is zero.
        profiles: float32 [P + 1, d], means of `vectors`; row 0 is zero.

    Example:
        >>> vectors = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
        >>> texts = RowTexts(np.array([[1, 0], [2, 1]], np.int32), vectors, vectors[:2])
        >>> texts.take(np.array([1])).ids.tolist(), texts.dim
        ([[2, 1]], 2)
    """

    ids: np.ndarray
    vectors: np.ndarray
    profiles: np.ndarray

    @property
    def dim(self) -> int:
        """Length of the vectors, d."""
        return int(self.vectors.shape[1])

    def take(self, rows: np.ndarray) -> RowTexts:
        """Returns some of the rows, with the same tables."""
        return dataclasses.replace(self, ids=self.ids[rows])

    def append(self, other: RowTexts) -> RowTexts:
        """Returns these rows and then those of other texts with the same tables."""
        return dataclasses.replace(self, ids=np.concatenate([self.ids, other.ids]))

    def exchange(self, rows: np.ndarray, text_rows: np.ndarray) -> RowTexts:
        """Returns rows with the profiles of some of the rows and the own texts of others."""
        ids = np.stack([self.ids[text_rows, 0], self.ids[rows, 1]], axis=1)
        return dataclasses.replace(self, ids=ids)

    def compute_fingerprint(self) -> str:
        """Returns the SHA-256 of the ids and both tables."""
        digest = hashlib.sha256()
        for array in (self.ids, self.vectors, self.profiles):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

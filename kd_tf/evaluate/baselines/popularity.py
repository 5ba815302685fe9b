"""The same list for everyone: the most read books."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluate.top_k import check_ids


@dataclass(frozen=True)
class Popularity:
    """Scores a book by the number of its training readers; see `fit`.

    Attributes:
        readers: float32 [V + 1], training readers of each book, -inf for the padding.
        name: How tables call it.
    """

    readers: np.ndarray
    name: str = "popularity"

    @property
    def parameters(self) -> int:
        return len(self.readers) - 1

    @property
    def bytes(self) -> int:
        return self.readers.nbytes

    def scores(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1], the same for all."""
        check_ids(histories, len(self.readers) - 1)
        return np.tile(self.readers, (len(histories), 1))


def fit(split: Split) -> Popularity:
    """Counts the training histories of `split`; a book that a reader read twice counts once."""
    read = split.train.matrix(split.books)
    readers = np.bincount(read.indices, minlength=split.books + 1).astype(np.float32)
    readers[0] = -np.inf
    return Popularity(readers)

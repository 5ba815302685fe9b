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

    user_counts: np.ndarray
    name: str = "popularity"

    @property
    def num_parameters(self) -> int:
        return len(self.user_counts) - 1

    @property
    def num_bytes(self) -> int:
        return self.user_counts.nbytes

    def score(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1], the same for all."""
        check_ids(histories, len(self.user_counts) - 1)
        return np.tile(self.user_counts, (len(histories), 1))


def fit(split: Split) -> Popularity:
    """Counts the training histories of `split`; a book that a reader read twice counts once."""
    read = split.train.to_csr_matrix(split.num_items)
    users = np.bincount(read.indices, minlength=split.num_items + 1).astype(np.float32)
    users[0] = -np.inf
    return Popularity(users)

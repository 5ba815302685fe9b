"""The popularity baseline: the same ranking for every user, most popular items first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluation.top_k import check_ids


@dataclass(frozen=True)
class Popularity:
    """Scores an item by its number of training users; see `fit`.

    Attributes:
        user_counts: float32 [V + 1], training users of each item, -inf for padding.
        name: Name in result tables.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import from_lists
        >>> model = Popularity(np.array([-np.inf, 5, 7], np.float32))
        >>> model.score(from_lists([[1], [2, 1]]))
        array([[-inf,   5.,   7.],
               [-inf,   5.,   7.]], dtype=float32)
    """

    user_counts: np.ndarray
    name: str = "popularity"

    @property
    def num_parameters(self) -> int:
        """One count per item."""
        return len(self.user_counts) - 1

    @property
    def num_bytes(self) -> int:
        """Bytes that they take in memory."""
        return self.user_counts.nbytes

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 [n, V + 1], the same row for every history."""
        check_ids(histories, len(self.user_counts) - 1)
        return np.tile(self.user_counts, (len(histories), 1))


def fit(split: Split) -> Popularity:
    """Counts the training users of each item; repeated interactions count once."""
    interactions = split.train.to_csr_matrix(split.num_items)
    user_counts = np.bincount(interactions.indices, minlength=split.num_items + 1)
    user_counts = user_counts.astype(np.float32)
    user_counts[0] = -np.inf
    return Popularity(user_counts)

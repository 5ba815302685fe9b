"""Figures that need the score of every book, not only a list of the best."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories


def auc(scores: np.ndarray, targets: Histories, excluded: Histories) -> np.ndarray:
    """Area under the ROC curve of each reader: how surely held-out books stand above others.

    It is the share of the pairs of a held-out and another book that stand in the right order,
    equal scores count half (Mann and Whitney, "On a test of whether one of two random variables
    is stochastically larger than the other", 1947). Others are all books that are neither held
    out nor excluded. -inf is the lowest score there is, like any other: books that a model never
    recommends are level with each other.

    Args:
        scores: float32 [b, V + 1]; a book with NaN is not compared, nor is column 0.
        targets: The b readers' held-out books, at least one each.
        excluded: What the readers read beside them.

    Returns:
        float64 [b], 0 to 1; 0.5 for a reader for whom there are no others.
    """
    others = scores.copy()
    others[:, 0] = np.nan  # in no order to any score
    for known in (targets, excluded):
        others[np.repeat(np.arange(len(scores)), known.lengths), known.items] = np.nan
    number = scores.shape[1] - np.count_nonzero(np.isnan(others), axis=1)
    right = np.zeros(len(scores))
    held_out = targets.lengths
    for place in range(int(held_out.max(initial=0))):
        rows = np.flatnonzero(held_out > place)
        some = others if len(rows) == len(others) else others[rows]
        held = scores[rows, targets.items[targets.offsets[rows] + place], None]
        below = np.count_nonzero(some < held, axis=1)
        right[rows] += below + 0.5 * np.count_nonzero(some == held, axis=1)
    pairs = held_out * number
    return np.where(pairs > 0, right / np.maximum(pairs, 1), 0.5)

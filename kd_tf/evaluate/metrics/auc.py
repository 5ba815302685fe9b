"""Figures that need the score of every book, not only a list of the best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kd_tf.data.histories import Histories


def compute_auc(scores: np.ndarray, targets: Histories, seen_items: Histories) -> np.ndarray:
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
    for known in (targets, seen_items):
        others[np.repeat(np.arange(len(scores)), known.lengths), known.items] = np.nan
    # Sorted once a reader (NaN stands last), instead of a pass over all books for each target.
    others.sort(axis=1)
    number = scores.shape[1] - np.count_nonzero(np.isnan(others), axis=1)
    row = np.repeat(np.arange(len(scores)), targets.lengths)
    held = scores[row, targets.items]
    below = _count_before(others, row, number[row], held, lambda other, own: other < own)
    reached = _count_before(others, row, number[row], held, lambda other, own: other <= own)
    right = np.bincount(row, (below + reached) / 2, minlength=len(scores))
    pairs = targets.lengths * number
    return np.where(pairs > 0, right / np.maximum(pairs, 1), 0.5)


def _count_before(
    ordered: np.ndarray,
    row: np.ndarray,
    number: np.ndarray,
    held: np.ndarray,
    before: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """int64 [t], how many of the first `number` of each row stand before the held-out score.

    A binary search in many rows at once.
    """
    low, high = np.zeros(len(row), np.int64), number.copy()
    while (low < high).any():
        middle = (low + high) // 2
        # A search that is over looks at any place, and moves no more.
        goes_on = low < high
        behind = before(ordered[row, np.minimum(middle, ordered.shape[1] - 1)], held) & goes_on
        low = np.where(behind, middle + 1, low)
        high = np.where(goes_on & ~behind, middle, high)
    return low

"""Area under the ROC curve, from the scores of all items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kd_tf.data.histories import Histories


def compute_auc(scores: np.ndarray, targets: Histories, seen_items: Histories) -> np.ndarray:
    """Computes the area under the ROC curve of each user.

    The AUC is the share of pairs of a held-out item and another item that are ranked in the right
    order, where equal scores count half (Mann and Whitney, "On a test of whether one of two random
    variables is stochastically larger than the other", 1947). The other items are all items that
    are neither held out nor seen. -inf counts as the lowest score: items that a model never
    recommends are tied.

    Args:
        scores: float32 [b, V + 1]; column 0 and items with a NaN score are ignored.
        targets: The held-out items of the b users, at least one each.
        seen_items: Other items of the users, to ignore.

    Returns:
        float64 [b], 0 to 1; 0.5 for a user without other items.
    """
    others = scores.copy()
    others[:, 0] = np.nan  # NaN compares false with every score
    for histories in (targets, seen_items):
        others[np.repeat(np.arange(len(scores)), histories.lengths), histories.items] = np.nan
    # One sort per user (NaN goes last) instead of a pass over all items for each target.
    others.sort(axis=1)
    num_others = scores.shape[1] - np.count_nonzero(np.isnan(others), axis=1)
    row = np.repeat(np.arange(len(scores)), targets.lengths)
    target_scores = scores[row, targets.items]
    below = _count_before(others, row, num_others[row], target_scores, np.less)
    not_above = _count_before(others, row, num_others[row], target_scores, np.less_equal)
    correct = np.bincount(row, (below + not_above) / 2, minlength=len(scores))
    pairs = targets.lengths * num_others
    return np.where(pairs > 0, correct / np.maximum(pairs, 1), 0.5)


def _count_before(
    ordered_scores: np.ndarray,
    row: np.ndarray,
    num_scores: np.ndarray,
    target_scores: np.ndarray,
    is_before: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Counts the scores before each target score, with a vectorized binary search.

    Args:
        ordered_scores: float32 [b, V + 1], each row ascending.
        row: int64 [t], the row of each target.
        num_scores: int64 [t], number of valid scores at the start of the target's row.
        target_scores: float32 [t].
        is_before: Compares scores of a row with target scores, elementwise.

    Returns:
        int64 [t].
    """
    low, high = np.zeros(len(row), np.int64), num_scores.copy()
    while (low < high).any():
        middle = (low + high) // 2
        # A finished search may read any position: it does not move any more.
        is_active = low < high
        middle_scores = ordered_scores[row, np.minimum(middle, ordered_scores.shape[1] - 1)]
        moves_up = is_before(middle_scores, target_scores) & is_active
        low = np.where(moves_up, middle + 1, low)
        high = np.where(is_active & ~moves_up, middle, high)
    return low

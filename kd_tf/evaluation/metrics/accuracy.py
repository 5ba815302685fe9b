"""Accuracy of ranked candidates, seen as a binary classification."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.evaluation.metrics.ranking import find_hits


def compute_accuracy(
    ranked_items: np.ndarray, targets: Histories, num_candidates: np.ndarray
) -> np.ndarray:
    """Computes the share of a user's candidates that are classified correctly.

    T of the C candidates of a user are held-out items. The T best-ranked candidates are predicted
    positive, all others negative, so no threshold is needed, and there are as many false positives
    as false negatives: accuracy = 1 - 2 (T - hits@T) / C.

    Args:
        ranked_items: int32 [n, k], the best candidates, best first; k is at least every T. 0 is
            padding: where a model ranks fewer than T candidates, any others count as predicted
            positive.
        targets: The held-out items of the n users, at least one each.
        num_candidates: int64 [n], C, including the held-out items.

    Returns:
        float64 [n], 0 to 1.

    Raises:
        ValueError: `ranked_items` is shorter than a user's T, or C is below T.
    """
    num_targets = targets.lengths
    if ranked_items.shape[1] < num_targets.max(initial=0):
        raise ValueError(
            f"lists of {ranked_items.shape[1]} are too short for {num_targets.max()} held-out items"
        )
    if np.any(num_candidates < num_targets):
        raise ValueError("a user has fewer candidates than held-out items")
    is_positive = np.arange(ranked_items.shape[1]) < num_targets[:, None]
    num_missed = num_targets - (find_hits(ranked_items, targets) & is_positive).sum(axis=1)
    # Each missed item is one false negative and, where negatives remain, one false positive.
    wrong = num_missed + np.minimum(num_missed, num_candidates - num_targets)
    return np.asarray(1 - wrong / num_candidates)

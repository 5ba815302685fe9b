"""Accuracy, where ranking is a task of two classes: candidates that were read or not."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.evaluate.metrics.ranking import find_hits


def compute_accuracy(
    ranked: np.ndarray, targets: Histories, num_candidates: np.ndarray
) -> np.ndarray:
    """Share of a reader's candidates that are told apart rightly.

    Of a reader's C candidates T are held-out books. The T best-ranked ones are called "will
    read", the others "will not": no threshold has to be chosen, and both kinds of mistake are
    equally many. The accuracy is 1 - 2 (T - hits@T) / C.

    Args:
        ranked: int32 [n, k], the best candidates, best first; k is at least every T. 0 is none:
            a model that names fewer than T calls any other candidates.
        targets: The n readers' held-out books, at least one each.
        candidates: int64 [n], C, held-out books included.

    Returns:
        float64 [n], 0 to 1.

    Raises:
        ValueError: `ranked` is shorter than somebody's T, or C is below T.
    """
    held_out = targets.lengths
    if ranked.shape[1] < held_out.max(initial=0):
        raise ValueError(
            f"lists of {ranked.shape[1]} are too short for {held_out.max()} held-out books"
        )
    if np.any(num_candidates < held_out):
        raise ValueError("a reader has fewer candidates than held-out books")
    within = np.arange(ranked.shape[1]) < held_out[:, None]
    missed = held_out - (find_hits(ranked, targets) & within).sum(axis=1)
    # A missed book takes the place of another candidate, where there are others enough.
    wrong = missed + np.minimum(missed, num_candidates - held_out)
    return 1 - wrong / num_candidates

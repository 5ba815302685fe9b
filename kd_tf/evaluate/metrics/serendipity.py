"""Hits that a list of the most read books would not have had."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.evaluate.metrics.ranking import find_hits


def compute_serendipity(
    ranked: np.ndarray, targets: Histories, histories: Histories, by_popularity: np.ndarray
) -> np.ndarray:
    """Share of a list's places that hold a useful and unexpected book.

    Useful is a held-out book; unexpected is one that does not stand in the list, equally long, of
    the most read books that the reader did not read yet.
    Source: Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity", 2010; the primitive method is popularity.

    Args:
        ranked: int32 [n, k], model ids best first; 0 is no recommendation.
        targets: The n readers' held-out books.
        histories: What the readers have read.
        by_popularity: int32 [V], all books, the most read first.

    Returns:
        float64 [n], 0 to 1.
    """
    users, k = ranked.shape
    items = len(by_popularity)
    place = np.full(items + 1, items, np.int64)
    place[by_popularity] = np.arange(items)
    # The popularity list of a reader ends k places behind the read books that stand before its
    # end. Each read book within it pushes the end on by one; the j-th read book (from 0, by
    # place) stands within it if its place is at most k - 1 + j.
    user = np.repeat(np.arange(users), histories.lengths)
    read = place[histories.items]
    order = np.lexsort((read, user))
    user, read = user[order], read[order]
    number = np.arange(len(read)) - np.repeat(histories.offsets[:-1], histories.lengths)
    within = read <= k - 1 + number
    end = k + np.bincount(user[within], minlength=users)
    unexpected = place[ranked] >= end[:, None]
    return (find_hits(ranked, targets) & unexpected).sum(axis=1) / k

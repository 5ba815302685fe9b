"""Serendipity: the hits that a most-popular list would not have."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.evaluation.metrics.ranking import find_hits


def compute_serendipity(
    ranked_items: np.ndarray, targets: Histories, histories: Histories, by_popularity: np.ndarray
) -> np.ndarray:
    """Computes the share of recommendations that are both useful and unexpected.

    Useful is a held-out item. Unexpected is an item that is not in the list of the k most popular
    items without the user's history. After Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy:
    evaluating recommender systems by coverage and serendipity", 2010, with popularity as the
    primitive method.

    Args:
        ranked_items: int32 [n, k], model ids, best first; 0 is padding.
        targets: The held-out items of the n users.
        histories: The histories of the n users.
        by_popularity: int32 [V], all items, most popular first.

    Returns:
        float64 [n], 0 to 1.
    """
    num_users, k = ranked_items.shape
    num_items = len(by_popularity)
    place = np.full(num_items + 1, num_items, np.int64)
    place[by_popularity] = np.arange(num_items)
    # A user's popularity list takes the first k places of the popularity order that are not in
    # the history. Each history item before its end moves the end by one place: the j-th history
    # item (from 0, by place) is before the end if its place is at most k - 1 + j.
    user = np.repeat(np.arange(num_users), histories.lengths)
    seen_places = place[histories.items]
    order = np.lexsort((seen_places, user))
    user, seen_places = user[order], seen_places[order]
    index = np.arange(len(seen_places)) - np.repeat(histories.offsets[:-1], histories.lengths)
    is_before_end = seen_places <= k - 1 + index
    end = k + np.bincount(user[is_before_end], minlength=num_users)
    is_unexpected = place[ranked_items] >= end[:, None]
    return np.asarray((find_hits(ranked_items, targets) & is_unexpected).sum(axis=1) / k)

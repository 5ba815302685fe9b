"""Sorts interactions user by user and builds histories from them."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions


def sort_chronologically(interactions: Interactions, random: np.random.Generator) -> np.ndarray:
    """Sorts rows by user, then by timestamp, or randomly where there are no timestamps.

    Equal times are in random order too, not in file order: a file sorted by item would leak
    popularity.

    Returns:
        int64 [n], row indices.
    """
    tie = random.random(len(interactions))
    keys = (tie,) if interactions.timestamp is None else (tie, interactions.timestamp)
    return np.lexsort((*keys, interactions.user))


def build_histories(
    interactions: Interactions, rows: np.ndarray, users: np.ndarray | None = None
) -> Histories:
    """Builds histories from rows of interactions.

    Args:
        interactions: All interactions.
        rows: int64 [m], row indices, user by user, in the order of `sort_chronologically`.
        users: int32 [k], ascending, the users to build histories for; all users by default. A
            user without rows gets an empty history.
    """
    counts = np.bincount(interactions.user[rows], minlength=interactions.num_users)
    if users is not None:
        is_selected = np.zeros(interactions.num_users, bool)
        is_selected[users] = True
        rows = rows[is_selected[interactions.user[rows]]]
        counts = counts[users]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    weight = interactions.weight
    return Histories(interactions.item[rows], offsets, None if weight is None else weight[rows])


def locate_in_history(
    interactions: Interactions, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the position in its user's history, from 0, and the history length of each row.

    Args:
        interactions: All interactions.
        order: int64 [n], all row indices, user by user.
    """
    lengths = np.bincount(interactions.user, minlength=interactions.num_users)
    offsets = np.cumsum(lengths) - lengths
    user = interactions.user[order]
    return np.arange(len(order)) - offsets[user], lengths[user]


def draw_random_ranks(
    interactions: Interactions, order: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Draws a random rank of each row of `order` within its user's items, int64 [n], from 0."""
    shuffled_order = np.lexsort((random.random(len(order)), interactions.user[order]))
    ranks = np.empty(len(order), np.int64)
    ranks[shuffled_order], _ = locate_in_history(interactions, order[shuffled_order])
    return ranks

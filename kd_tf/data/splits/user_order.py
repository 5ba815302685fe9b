"""Interactions in the order in which each reader read."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions


def sort_chronologically(interactions: Interactions, random: np.random.Generator) -> np.ndarray:
    """int64 [n], the rows reader by reader, by time where it is known, else in random order.

    Equal times are in random order too, and not as the file has them: files sorted by book would
    leak what is popular.
    """
    tie = random.random(len(interactions))
    keys = (tie,) if interactions.timestamp is None else (tie, interactions.timestamp)
    return np.lexsort((*keys, interactions.user))


def build_histories(
    interactions: Interactions, rows: np.ndarray, users: np.ndarray | None = None
) -> Histories:
    """Histories made of some rows.

    Args:
        interactions: All of them.
        rows: int64 [m], reader by reader, as `order_of_reading` puts them.
        readers: int32 [k], ascending, whose histories are wanted; all of them by default. A
            reader without rows gets an empty history.
    """
    counts = np.bincount(interactions.user[rows], minlength=interactions.num_users)
    if users is not None:
        wanted = np.zeros(interactions.num_users, bool)
        wanted[users] = True
        rows = rows[wanted[interactions.user[rows]]]
        counts = counts[users]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    weight = interactions.weight
    return Histories(interactions.item[rows], offsets, None if weight is None else weight[rows])


def locate_in_history(
    interactions: Interactions, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each row of `order`: its place in its reader's history, from 0, and that one's length."""
    lengths = np.bincount(interactions.user, minlength=interactions.num_users)
    offsets = np.cumsum(lengths) - lengths
    user = interactions.user[order]
    return np.arange(len(order)) - offsets[user], lengths[user]


def draw_random_ranks(
    interactions: Interactions, order: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """int64 [n], for each row of `order` its place if its reader's books were drawn one by one."""
    drawn = np.lexsort((random.random(len(order)), interactions.user[order]))
    place = np.empty(len(order), np.int64)
    place[drawn], _ = locate_in_history(interactions, order[drawn])
    return place

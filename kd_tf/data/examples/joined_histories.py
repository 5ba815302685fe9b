"""Joins histories of several users, to have histories of every length where users have few items.

Training users may have ten items each, and the model takes fifty: a user of the app who marks
everything ever read sends fifty. Files are calibrated and checked with such histories as well.
"""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories, from_lists

MAX_JOINED_USERS = 1000
"""Number of users whose histories are joined, so that the time does not grow with the data."""


def draw_histories_of_every_length(
    histories: Histories, *, max_length: int, num_items: int, count: int, seed: int
) -> Histories:
    """Draws histories of every length from 0 to L, by joining histories of several users.

    Each ends with the newest items of a random user. In the first half of each length, the items
    of users who share most items with that user come before them; in the second half, those of
    random users. The embeddings of alike items add up, so that similar users give the largest sums
    that a user of the app can have. Random users give what many interests have: sums in other
    directions. Where all users together have too few items, random items of the catalog follow.

    Args:
        histories: Real histories.
        max_length: L.
        num_items: V; no history is longer, because no item is in it twice.
        count: Number of histories. Their lengths are spread evenly.
        seed: Seed of the draws.

    Returns:
        Histories without repeated items, from short to long.

    Example:
        >>> from kd_tf.data.histories import from_lists
        >>> drawn = draw_histories_of_every_length(
        ...     from_lists([[1, 2], [2, 3], [4]]), max_length=3, num_items=5, count=8, seed=0
        ... )
        >>> drawn.lengths.tolist()
        [0, 0, 1, 1, 2, 2, 3, 3]
    """
    random = np.random.default_rng(seed)
    lengths = np.linspace(0, min(max_length, num_items), -(-count // 2)).round().astype(np.int64)
    users = np.flatnonzero(histories.lengths > 0)
    sampled_users = random.permutation(users)[:MAX_JOINED_USERS]
    pool = Histories(histories.items, histories.offsets).take(sampled_users)
    is_read = pool.to_csr_matrix(num_items)
    is_read_by = is_read.T.tocsc()
    rows: list[np.ndarray] = []
    for length in lengths:
        order = random.permutation(len(pool))
        if len(pool):
            num_shared = (is_read[[order[0]]] @ is_read_by).toarray()[0]
            num_shared[order[0]] = np.inf
            similar_first = order[np.argsort(-num_shared[order], kind="stable")]
        else:
            similar_first = order
        rows += [
            _join(pool, users, int(length), num_items, random) for users in (similar_first, order)
        ]
    return from_lists(rows[:count])


def _join(
    pool: Histories, users: np.ndarray, length: int, num_items: int, random: np.random.Generator
) -> np.ndarray:
    """Returns the newest `length` items of these users without repeats, the first user's last."""
    # Newest first, until there are enough; a dict keeps the order.
    items: dict[int, None] = {}
    for user in users:
        if len(items) >= length:
            break
        items.update(dict.fromkeys(pool[user][::-1].tolist()))
    if len(items) < length:
        items.update(dict.fromkeys((1 + random.permutation(num_items)).tolist()))
    return np.array(list(items)[:length][::-1], np.int32)

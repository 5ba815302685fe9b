"""Draws negatives for a table that has positives only: items that a user does not have."""

from __future__ import annotations

import numpy as np

_ROUNDS = 20


def draw_negatives(
    users: np.ndarray,
    items: np.ndarray,
    parts: np.ndarray,
    num_negatives: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws items for users that they do not have, for each row several.

    All items are equally likely, and none is an item that the user has in any part. Negatives of
    training are items that training rows have; those of validation and test are any.

    Args:
        users: int32 [n], the user of each row.
        items: int32 [n], the item of each row.
        parts: int8 [n], the part of each row.
        num_negatives: Number of negatives of a row.
        seed: Seed that draws the items.

    Returns:
        The row of each negative, int64 [m], and its item, int32 [m]; m is less than
        n * `num_negatives` where a user has all items.

    Example:
        >>> users, items = np.array([0, 0, 1]), np.array([0, 1, 2])
        >>> rows, negatives = draw_negatives(users, items, np.zeros(3, np.int8), 2, seed=1)
        >>> rows.tolist(), negatives[:4].tolist()
        ([0, 0, 1, 1, 2, 2], [2, 2, 2, 2])
    """
    random = np.random.default_rng(seed)
    num_items = int(items.max()) + 1
    pairs = np.unique(users.astype(np.int64) * num_items + items)
    all_rows, all_items = [], []
    for part in np.unique(parts):
        part_rows = np.flatnonzero(parts == part)
        is_candidate = np.zeros(num_items, bool)
        is_candidate[items[part_rows] if part == 0 else items] = True
        candidates = np.flatnonzero(is_candidate)
        rows = np.repeat(part_rows, num_negatives)
        negatives = candidates[random.integers(len(candidates), size=len(rows))]
        places = np.arange(len(rows))
        for _ in range(_ROUNDS):
            keys = users[rows[places]].astype(np.int64) * num_items + negatives[places]
            places = places[_is_among(keys, pairs)]
            if not len(places):
                break
            negatives[places] = candidates[random.integers(len(candidates), size=len(places))]
        else:
            keys = users[rows[places]].astype(np.int64) * num_items + negatives[places]
            places = places[_is_among(keys, pairs)]
            _draw_exactly(places, rows, negatives, users, items, candidates, random)
        is_drawn = negatives >= 0
        all_rows.append(rows[is_drawn])
        all_items.append(negatives[is_drawn])
    return np.concatenate(all_rows), np.concatenate(all_items).astype(np.int32)


def _is_among(keys: np.ndarray, sorted_keys: np.ndarray) -> np.ndarray:
    places = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[places] == keys)


def _draw_exactly(
    places: np.ndarray,
    rows: np.ndarray,
    negatives: np.ndarray,
    users: np.ndarray,
    items: np.ndarray,
    candidates: np.ndarray,
    random: np.random.Generator,
) -> None:
    """Draws for users that have nearly all items; -1 where nothing is left to draw."""
    order = np.argsort(users, kind="stable")
    ordered_users = users[order]
    for user in np.unique(users[rows[places]]):
        begin, end = np.searchsorted(ordered_users, [user, user + 1])
        rest = np.setdiff1d(candidates, items[order[begin:end]])
        user_places = places[users[rows[places]] == user]
        negatives[user_places] = (
            rest[random.integers(len(rest), size=len(user_places))] if len(rest) else -1
        )

"""Slices of users and held-out items, to show what a mean over all would hide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet

COLD_USER_MAX_ITEMS = 4
"""A cold user has at most this many items in the input history."""

COLD_ITEM_MIN_USERS = 5
"""A cold item has fewer training users than this."""

HIDDEN_ITEMS = "hidden-items"
"""The slice of the items that the protocol cold-items hides from training."""


@dataclass(frozen=True)
class Slice:
    """A subset of the held-out users and of their held-out items.

    Attributes:
        name: Name for tables, for example ``cold-users``.
        rows: int64 [m], rows of the users in the `HeldOutSet`, ascending.
        targets: The held-out items of those users in the slice, at least one each.
    """

    name: str
    rows: np.ndarray
    targets: Histories


def slice_held_out(held_out: HeldOutSet, popularity: np.ndarray) -> list[Slice]:
    """Slices users by the length of their history, and held-out items by popularity.

    - ``cold-users``: 0 to 4 items in the input history; ``warm-users``: more.
    - ``cold-items``: held-out items with fewer than 5 training users.
    - ``hidden-items``: held-out items that the protocol hides from training
      (`HeldOutSet.cold_items`): books that nobody has read.
    - ``head-items``, ``middle-items``, ``tail-items``: items in descending order of their training
      users (ties by id), split where one third and two thirds of all training interactions are
      reached. An item on the border belongs to the part in which it begins. Items without
      training users are in the tail.

    In a slice of items, a user has only the held-out items of the slice, and is left out without
    one: other held-out items are neither hits nor misses, but keep their ranks in the list.

    Args:
        held_out: The held-out users.
        popularity: int64 [V + 1], number of training users of each item.

    Returns:
        The slices that are not empty, in this order.
    """
    lengths = held_out.histories.lengths
    parts = [
        ("cold-users", lengths <= COLD_USER_MAX_ITEMS, None),
        ("warm-users", lengths > COLD_USER_MAX_ITEMS, None),
        ("cold-items", None, popularity < COLD_ITEM_MIN_USERS),
        (HIDDEN_ITEMS, None, _mark_hidden_items(held_out, len(popularity))),
        *zip(
            ("head-items", "middle-items", "tail-items"),
            (None,) * 3,
            _split_into_thirds(popularity),
            strict=True,
        ),
    ]
    result = []
    for name, user_mask, item_mask in parts:
        mask = np.ones(len(held_out.targets.items), bool)
        if user_mask is not None:
            mask = np.repeat(user_mask, held_out.targets.lengths)
        if item_mask is not None:
            mask = item_mask[held_out.targets.items]
        user = np.repeat(np.arange(len(lengths)), held_out.targets.lengths)[mask]
        rows, counts = np.unique(user, return_counts=True)
        if len(rows):
            offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            result.append(Slice(name, rows, Histories(held_out.targets.items[mask], offsets)))
    return result


def _mark_hidden_items(held_out: HeldOutSet, size: int) -> np.ndarray:
    """Returns a mask bool [size] of the items that the protocol hides; without any, all False."""
    mask = np.zeros(size, bool)
    if held_out.cold_items is not None:
        mask[held_out.cold_items] = True
    return mask


def _split_into_thirds(popularity: np.ndarray) -> list[np.ndarray]:
    """Returns three disjoint masks bool [V + 1] of all items; index 0 is in none."""
    order = np.argsort(-popularity[1:], kind="stable") + 1
    counts = popularity[order]
    before = np.cumsum(counts) - counts
    total = max(int(counts.sum()), 1)
    part = np.minimum(3 * before // total, 2)
    part[counts == 0] = 2
    masks = []
    for third in range(3):
        mask = np.zeros(len(popularity), bool)
        mask[order[part == third]] = True
        masks.append(mask)
    return masks

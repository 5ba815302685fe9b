"""Cold-user split: test users of whom only a few items are known."""

from __future__ import annotations

import dataclasses

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.unseen_users import split_unseen_users
from kd_tf.errors import UserError

COLD_USERS = "cold-users"

DEFAULT_SHOWN_ITEMS = 4
"""Number of items that are shown of a user at most."""


def split_cold_users(
    interactions: Interactions,
    *,
    test_users: int,
    validation_users: int,
    shown_items: int = DEFAULT_SHOWN_ITEMS,
    held_out_share: float = 0.2,
    seed: int = 42,
) -> Split:
    """Splits users as `split_unseen_users` does, and shows 1 to `shown_items` items of each.

    How many are shown is drawn by `seed` for every validation and test user; they are the newest
    ones, or random ones without timestamps. The targets are those of `split_unseen_users`. The
    other items are never recommended and no target, as they are known to be read.

    Args:
        interactions: At most one row per user-item pair.
        test_users: Number of test users.
        validation_users: Number of validation users.
        shown_items: Largest number of items that are shown.
        held_out_share: Share of a user's items that is held out.
        seed: Seed that draws users, items and numbers.

    Raises:
        UserError: There are too few users, or `shown_items` is below 1.
    """
    if shown_items < 1:
        raise UserError(f"split.shown_items must be 1 or more, not {shown_items}")
    split = split_unseen_users(
        interactions,
        test_users=test_users,
        validation_users=validation_users,
        held_out_share=held_out_share,
        seed=seed,
    )
    random = np.random.default_rng([seed, 2])
    return dataclasses.replace(
        split,
        validation=_hide_older_items(split.validation, shown_items, random),
        test=_hide_older_items(split.test, shown_items, random),
        protocol=COLD_USERS,
    )


def _hide_older_items(
    held_out: HeldOutSet, shown_items: int, random: np.random.Generator
) -> HeldOutSet:
    """Keeps the newest items of each history, and makes the others seen items."""
    histories = held_out.histories
    num_shown = random.integers(1, shown_items + 1, len(histories))
    age = np.repeat(histories.offsets[1:], histories.lengths) - np.arange(len(histories.items))
    is_shown = age <= np.repeat(num_shown, histories.lengths)
    hidden_items = histories.keep(~is_shown)
    return HeldOutSet(
        histories.keep(is_shown),
        held_out.targets,
        held_out.users,
        seen_items=Histories(hidden_items.items, hidden_items.offsets),
    )

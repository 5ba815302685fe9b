"""Holds out a validation part for splits that have none."""

from __future__ import annotations

import dataclasses

import numpy as np

from kd_tf.data.split import HeldOutSet, Split

MAX_USERS = 5000
"""Maximum number of validation users; more make selection slower, not better."""


def hold_out_validation(split: Split, *, share: float = 0.1, seed: int = 42) -> Split:
    """Moves a random share of the training items to validation; the test part is unchanged.

    Holds out a share of the items, at least one, of up to `MAX_USERS` random users who keep two or
    more. If nobody has three items, one item of every second user with two is held out: the other
    users keep theirs, so that something is left to learn from. All other users keep all items.

    Args:
        split: A split without validation users.
        share: Share of a user's training items to hold out.
        seed: Seed that draws users and items.

    Returns:
        The split; still without validation users if no item can be spared.
    """
    random = np.random.default_rng(seed)
    lengths = split.train.lengths
    eligible = random.permutation(np.flatnonzero(lengths >= 3))
    if not len(eligible):
        pairs = random.permutation(np.flatnonzero(lengths == 2))
        eligible = pairs[: len(pairs) // 2]
    rows = np.sort(eligible[:MAX_USERS])
    if not len(rows):
        note = (
            "there are no validation users, and no training item to spare for validation: models "
            "take their default settings"
        )
        return dataclasses.replace(split, notes=(*split.notes, note))
    num_targets = np.zeros(len(lengths), np.int64)
    num_targets[rows] = np.clip(
        np.round(lengths[rows] * share), 1, np.maximum(lengths[rows] - 2, 1)
    )
    user = np.repeat(np.arange(len(lengths)), lengths)
    shuffled_order = np.lexsort((random.random(len(user)), user))
    ranks = np.empty(len(user), np.int64)
    ranks[shuffled_order] = np.arange(len(user)) - np.repeat(split.train.offsets[:-1], lengths)
    is_target = ranks < num_targets[user]
    train = split.train.keep(~is_target)
    targets = split.train.keep(is_target)
    return dataclasses.replace(
        split,
        train=train,
        validation=HeldOutSet(
            train.take(rows), targets.take(rows), split.train_users[rows].astype(np.int32)
        ),
        notes=(
            *split.notes,
            f"the split has no validation part: {len(targets.items)} training items of "
            f"{len(rows)} users are held out for validation",
        ),
    )

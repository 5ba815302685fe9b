"""Strong generalization split: models are evaluated on users that are not in training."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.user_order import build_histories, sort_chronologically
from kd_tf.errors import UserError

UNSEEN_USERS = "unseen-users"


def split_unseen_users(
    interactions: Interactions,
    *,
    test_users: int,
    validation_users: int,
    held_out_share: float = 0.2,
    seed: int = 42,
) -> Split:
    """Splits users into training, validation and test users.

    Validation and test users are not in training. A share `held_out_share` of the items of each
    is held out, at least one, and at least one is input. The held-out items are the newest where
    there are timestamps, else drawn by `seed`.
    Protocol of Liang et al., "Variational Autoencoders for Collaborative Filtering", 2018,
    section 4.1.

    Args:
        interactions: At most one row per user-item pair (see `kd_tf.data.clean`).
        test_users: Number of test users; may be 0.
        validation_users: Number of validation users; may be 0.
        held_out_share: Share of a user's items that is held out, above 0 and below 1.
        seed: Seed that draws users and items.

    Raises:
        UserError: There are too few users, or a user has fewer than two items.
    """
    if not 0 < held_out_share < 1:
        raise UserError(f"held_out_share must be above 0 and below 1, not {held_out_share}")
    num_held_out = test_users + validation_users
    if interactions.num_users <= num_held_out:
        raise UserError(
            f"{interactions.num_users} users remain after cleaning, but {test_users} test and "
            f"{validation_users} validation users leave none for training",
            hint="Add more users, or lower test_users and validation_users.",
        )
    notes: tuple[str, ...] = ()
    if not test_users:
        notes = ("nobody can be tested: all users are needed for training",)
    random = np.random.default_rng(seed)
    shuffled_users = random.permutation(interactions.num_users).astype(np.int32)
    histories = build_histories(interactions, sort_chronologically(interactions, random))
    require_two_items(interactions, histories)
    test, validation, train = np.split(shuffled_users, [test_users, num_held_out])
    return Split(
        train=histories.take(np.sort(train)),
        train_users=np.sort(train),
        validation=hold_out_last(histories, np.sort(validation), held_out_share),
        test=hold_out_last(histories, np.sort(test), held_out_share),
        protocol=UNSEEN_USERS,
        seed=seed,
        num_items=interactions.num_items,
        chronological=interactions.timestamp is not None,
        notes=notes,
    )


def require_two_items(interactions: Interactions, histories: Histories) -> None:
    """Raises UserError where a user has fewer than two items."""
    if len(histories) and histories.lengths.min() < 2:
        user = interactions.user_ids[int(histories.lengths.argmin())]
        raise UserError(
            f"user {user!r} has fewer than two items: one is needed as input, one as target",
            hint="Set min_user_interactions to 2 or more.",
        )


def hold_out_last(histories: Histories, users: np.ndarray, share: float) -> HeldOutSet:
    """Holds out the last `share` of the items of each user, at least one and never all.

    Args:
        histories: Histories of all users, at least two items each.
        users: int32 [n], rows of the users in `histories`.
        share: Share of the items to hold out, rounded.
    """
    selected_histories = histories.take(users)
    lengths = selected_histories.lengths
    num_targets = np.clip(np.round(lengths * share).astype(np.int64), 1, lengths - 1)
    position = np.arange(len(selected_histories.items)) - np.repeat(
        selected_histories.offsets[:-1], lengths
    )
    is_target = position >= np.repeat(lengths - num_targets, lengths)
    return HeldOutSet(
        selected_histories.keep(~is_target), selected_histories.keep(is_target), users
    )

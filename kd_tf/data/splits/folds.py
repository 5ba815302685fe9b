"""k-fold cross-validation: every user, or every interaction, is tested once."""

from __future__ import annotations

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.random_holdout import RANDOM
from kd_tf.data.splits.unseen_users import UNSEEN_USERS, hold_out_last, require_two_items
from kd_tf.data.splits.user_order import (
    build_histories,
    draw_random_ranks,
    sort_chronologically,
)
from kd_tf.errors import UserError


def make_user_folds(
    interactions: Interactions, num_folds: int, *, held_out_share: float = 0.2, seed: int = 42
) -> list[Split]:
    """Makes one split per fold of users, for strong generalization.

    Each user is a test user in one fold, a validation user in the fold before, and a training
    user in all others.

    Args:
        interactions: At most one row per user-item pair, at least two items per user.
        num_folds: Number of folds, at least 3.
        held_out_share: Share of the items of a test or validation user that is held out.
        seed: Seed that draws users and items.

    Raises:
        UserError: There are fewer users than folds, or a user has fewer than two items.
    """
    _check_num_folds(num_folds, interactions.num_users, "users")
    random = np.random.default_rng(seed)
    fold = random.permutation(np.arange(interactions.num_users) % num_folds)
    histories = build_histories(interactions, sort_chronologically(interactions, random))
    require_two_items(interactions, histories)

    def split(test_fold: int) -> Split:
        validation_fold = (test_fold + 1) % num_folds
        test, validation = (
            np.flatnonzero(fold == number) for number in (test_fold, validation_fold)
        )
        train = np.flatnonzero((fold != test_fold) & (fold != validation_fold))
        return Split(
            train=histories.take(train),
            train_users=train.astype(np.int32),
            validation=hold_out_last(histories, validation.astype(np.int32), held_out_share),
            test=hold_out_last(histories, test.astype(np.int32), held_out_share),
            protocol=UNSEEN_USERS,
            seed=seed,
            num_items=interactions.num_items,
            chronological=interactions.timestamp is not None,
        )

    return [split(number) for number in range(num_folds)]


def make_interaction_folds(
    interactions: Interactions, num_folds: int, *, seed: int = 42
) -> list[Split]:
    """Makes one split per fold of interactions.

    Each interaction is in the test part of one fold, in the validation part of the fold before,
    and in the training part of all others. The items of a user are spread evenly over the folds.
    The test and validation users of a fold are those with at least one input item.

    Args:
        interactions: At most one row per user-item pair.
        num_folds: Number of folds, at least 3.
        seed: Seed that draws the folds.

    Raises:
        UserError: There are fewer interactions than folds.
    """
    _check_num_folds(num_folds, len(interactions), "interactions")
    random = np.random.default_rng(seed)
    order = sort_chronologically(interactions, random)
    ranks = draw_random_ranks(interactions, order, random)
    # Each user starts at a random fold; else the first folds would get all short histories.
    fold = (
        ranks + random.integers(0, num_folds, interactions.num_users)[interactions.user[order]]
    ) % num_folds

    def hold_out(targets: np.ndarray, inputs: np.ndarray) -> HeldOutSet:
        users = np.intersect1d(interactions.user[order[targets]], interactions.user[order[inputs]])
        return HeldOutSet(
            build_histories(interactions, order[inputs], users),
            build_histories(interactions, order[targets], users),
            users,
        )

    def split(test_fold: int) -> Split:
        is_test, is_validation = fold == test_fold, fold == (test_fold + 1) % num_folds
        is_train = ~is_test & ~is_validation
        return Split(
            train=build_histories(interactions, order[is_train]),
            train_users=np.arange(interactions.num_users, dtype=np.int32),
            validation=hold_out(is_validation, is_train),
            test=hold_out(is_test, ~is_test),
            protocol=RANDOM,
            seed=seed,
            num_items=interactions.num_items,
            chronological=interactions.timestamp is not None,
        )

    return [split(number) for number in range(num_folds)]


def _check_num_folds(num_folds: int, num_available: int, unit: str) -> None:
    """Raises UserError unless there are at least 3 folds and as many users or interactions."""
    if num_folds < 3:
        raise UserError(f"folds must be 3 or more, not {num_folds}")
    if num_available < num_folds:
        raise UserError(
            f"{num_available} {unit} are too few for {num_folds} folds", hint="Use fewer folds."
        )

"""k-fold cross-validation: everybody, or every book of everybody, is tested once."""

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
    """Unseen readers: each one tests in one fold, validates in the fold before, else trains.

    Args:
        interactions: Each pair of reader and book at most once, two books a reader or more.
        folds: How many, at least 3.
        held_out: Share of a test reader's books that is hidden.
        seed: Draws readers and books.

    Raises:
        UserError: There are fewer readers than folds, or one has fewer than two books.
    """
    _check_num_folds(num_folds, interactions.num_users, "readers")
    random = np.random.default_rng(seed)
    fold = random.permutation(np.arange(interactions.num_users) % num_folds)
    everyone = build_histories(interactions, sort_chronologically(interactions, random))
    require_two_items(interactions, everyone)

    def split(tested: int) -> Split:
        validated = (tested + 1) % num_folds
        test, validation = (np.flatnonzero(fold == one) for one in (tested, validated))
        train = np.flatnonzero((fold != tested) & (fold != validated))
        return Split(
            train=everyone.take(train),
            train_users=train.astype(np.int32),
            validation=hold_out_last(everyone, validation.astype(np.int32), held_out_share),
            test=hold_out_last(everyone, test.astype(np.int32), held_out_share),
            protocol=UNSEEN_USERS,
            seed=seed,
            num_items=interactions.num_items,
        )

    return [split(number) for number in range(num_folds)]


def make_interaction_folds(
    interactions: Interactions, num_folds: int, *, seed: int = 42
) -> list[Split]:
    """Each interaction tests in one fold, validates in the fold before, else trains.

    A reader's books are spread over the folds as evenly as they go. A fold's test and validation
    readers are those who have a book to be shown.

    Args:
        interactions: Each pair of reader and book at most once.
        folds: How many, at least 3.
        seed: Draws the folds.

    Raises:
        UserError: There are fewer interactions than folds.
    """
    _check_num_folds(num_folds, len(interactions), "interactions")
    random = np.random.default_rng(seed)
    order = sort_chronologically(interactions, random)
    place = draw_random_ranks(interactions, order, random)
    # Each reader begins at another fold, else the first folds would get all the short histories.
    fold = (
        place + random.integers(0, num_folds, interactions.num_users)[interactions.user[order]]
    ) % num_folds

    def held_out(targets: np.ndarray, shown: np.ndarray) -> HeldOutSet:
        users = np.intersect1d(interactions.user[order[targets]], interactions.user[order[shown]])
        return HeldOutSet(
            build_histories(interactions, order[shown], users),
            build_histories(interactions, order[targets], users),
            users,
        )

    def split(tested: int) -> Split:
        tests, validates = fold == tested, fold == (tested + 1) % num_folds
        trains = ~tests & ~validates
        return Split(
            train=build_histories(interactions, order[trains]),
            train_users=np.arange(interactions.num_users, dtype=np.int32),
            validation=held_out(validates, trains),
            test=held_out(tests, ~tests),
            protocol=RANDOM,
            seed=seed,
            num_items=interactions.num_items,
        )

    return [split(number) for number in range(num_folds)]


def _check_num_folds(num_folds: int, num_available: int, unit: str) -> None:
    if num_folds < 3:
        raise UserError(f"folds must be 3 or more, not {num_folds}")
    if num_available < num_folds:
        raise UserError(
            f"{num_available} {unit} do not make {num_folds} folds", hint="Take fewer folds."
        )

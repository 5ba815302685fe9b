"""k-fold cross-validation: everybody, or every book of everybody, is tested once."""

from __future__ import annotations

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOut, Split
from kd_tf.data.splits.ordering import drawn_place, histories_of, order_of_reading
from kd_tf.data.splits.random_holdout import RANDOM
from kd_tf.data.splits.unseen_users import UNSEEN_USERS, hold_out, require_two_books
from kd_tf.errors import UserError


def folds_of_readers(
    interactions: Interactions, folds: int, *, held_out: float = 0.2, seed: int = 42
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
    _check(folds, interactions.users, "readers")
    random = np.random.default_rng(seed)
    fold = random.permutation(np.arange(interactions.users) % folds)
    everyone = histories_of(interactions, order_of_reading(interactions, random))
    require_two_books(interactions, everyone)

    def split(tested: int) -> Split:
        validated = (tested + 1) % folds
        test, validation = (np.flatnonzero(fold == one) for one in (tested, validated))
        train = np.flatnonzero((fold != tested) & (fold != validated))
        return Split(
            train=everyone.take(train),
            train_readers=train.astype(np.int32),
            validation=hold_out(everyone, validation.astype(np.int32), held_out),
            test=hold_out(everyone, test.astype(np.int32), held_out),
            protocol=UNSEEN_USERS,
            seed=seed,
            books=interactions.books,
        )

    return [split(number) for number in range(folds)]


def folds_of_interactions(interactions: Interactions, folds: int, *, seed: int = 42) -> list[Split]:
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
    _check(folds, len(interactions), "interactions")
    random = np.random.default_rng(seed)
    order = order_of_reading(interactions, random)
    place = drawn_place(interactions, order, random)
    # Each reader begins at another fold, else the first folds would get all the short histories.
    fold = (place + random.integers(0, folds, interactions.users)[interactions.user[order]]) % folds

    def held_out(targets: np.ndarray, shown: np.ndarray) -> HeldOut:
        readers = np.intersect1d(interactions.user[order[targets]], interactions.user[order[shown]])
        return HeldOut(
            histories_of(interactions, order[shown], readers),
            histories_of(interactions, order[targets], readers),
            readers,
        )

    def split(tested: int) -> Split:
        tests, validates = fold == tested, fold == (tested + 1) % folds
        trains = ~tests & ~validates
        return Split(
            train=histories_of(interactions, order[trains]),
            train_readers=np.arange(interactions.users, dtype=np.int32),
            validation=held_out(validates, trains),
            test=held_out(tests, ~tests),
            protocol=RANDOM,
            seed=seed,
            books=interactions.books,
        )

    return [split(number) for number in range(folds)]


def _check(folds: int, there: int, what: str) -> None:
    if folds < 3:
        raise UserError(f"folds must be 3 or more, not {folds}")
    if there < folds:
        raise UserError(f"{there} {what} do not make {folds} folds", hint="Take fewer folds.")

"""Random holdout split: a share of each user's items for test, another for validation."""

from __future__ import annotations

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.user_order import (
    build_histories,
    draw_random_ranks,
    locate_in_history,
    sort_chronologically,
)
from kd_tf.errors import UserError

RANDOM = "random"


def split_random_holdout(
    interactions: Interactions,
    *,
    test_share: float = 0.2,
    validation_share: float = 0.1,
    seed: int = 42,
) -> Split:
    """Splits off a random share of each user's items for test and another for validation.

    Shares are rounded; at least one item of each user stays in training. The test histories hold
    all other items, also the validation items. Histories are in chronological order.
    Protocol of Wang et al., "Neural Graph Collaborative Filtering", 2019.

    Args:
        interactions: At most one row per user-item pair (see `kd_tf.data.clean`).
        test_share: Share of test items, above 0; below 1 together with `validation_share`.
        validation_share: Share of validation items, above 0.
        seed: Seed that draws the items.

    Returns:
        The split; without test or validation users where the shares of all of them round to 0.

    Raises:
        UserError: A share is out of range.
    """
    if not (test_share > 0 and validation_share > 0 and test_share + validation_share < 1):
        raise UserError(
            "test_share and validation_share must be above 0, and their sum below 1, not "
            f"{test_share} and {validation_share}"
        )
    random = np.random.default_rng(seed)
    order = sort_chronologically(interactions, random)
    ranks = draw_random_ranks(interactions, order, random)
    _, length = locate_in_history(interactions, order)
    num_test = np.minimum(np.round(length * test_share), length - 1)
    num_validation = np.minimum(np.round(length * validation_share), length - 1 - num_test)
    is_test = ranks < num_test
    is_validation = ~is_test & (ranks < num_test + num_validation)
    is_train = ~is_test & ~is_validation
    notes: tuple[str, ...] = ()
    if not is_test.any():
        notes = (
            f"nobody can be tested: the share {test_share:g} of everybody's items is less than "
            "half an item",
        )

    def hold_out(targets: np.ndarray, inputs: np.ndarray) -> HeldOutSet:
        users = np.unique(interactions.user[order[targets]])
        return HeldOutSet(
            build_histories(interactions, order[inputs], users),
            build_histories(interactions, order[targets], users),
            users,
        )

    return Split(
        train=build_histories(interactions, order[is_train]),
        train_users=np.arange(interactions.num_users, dtype=np.int32),
        validation=hold_out(is_validation, is_train),
        test=hold_out(is_test, ~is_test),
        protocol=RANDOM,
        seed=seed,
        num_items=interactions.num_items,
        chronological=interactions.timestamp is not None,
        notes=notes,
    )

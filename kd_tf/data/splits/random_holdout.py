"""A random share of each reader's books is the test, another share chooses."""

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
    """Of each reader's books a share tests and another one validates, whenever they were read.

    Shares are rounded; at least one book of a reader trains. What the test shows are all other
    books, the validation books too. The order of histories is that of reading.
    Source of the protocol: Wang et al., "Neural Graph Collaborative Filtering", 2019.

    Args:
        interactions: Each pair of reader and book at most once (see `kd_tf.data.clean`).
        test_share: Above 0; together with `validation_share` below 1.
        validation_share: Above 0.
        seed: Draws the books.

    Raises:
        UserError: The shares do not fit, or are too small for readers with so few books.
    """
    if not (test_share > 0 and validation_share > 0 and test_share + validation_share < 1):
        raise UserError(
            "test_share and validation_share must be above 0 and below 1 together, not "
            f"{test_share} and {validation_share}"
        )
    random = np.random.default_rng(seed)
    order = sort_chronologically(interactions, random)
    place = draw_random_ranks(interactions, order, random)
    _, length = locate_in_history(interactions, order)
    test = np.minimum(np.round(length * test_share), length - 1)
    validation = np.minimum(np.round(length * validation_share), length - 1 - test)
    tests = place < test
    validates = ~tests & (place < test + validation)
    if not tests.any() or not validates.any():
        raise UserError(
            "the readers have too few books for a test share of "
            f"{test_share} and a validation share of {validation_share}",
            hint="Raise the shares, or min_user_interactions.",
        )

    def held_out(targets: np.ndarray, shown: np.ndarray) -> HeldOutSet:
        users = np.unique(interactions.user[order[targets]])
        return HeldOutSet(
            build_histories(interactions, order[shown], users),
            build_histories(interactions, order[targets], users),
            users,
        )

    return Split(
        train=build_histories(interactions, order[~tests & ~validates]),
        train_users=np.arange(interactions.num_users, dtype=np.int32),
        validation=held_out(validates, ~tests & ~validates),
        test=held_out(tests, ~tests),
        protocol=RANDOM,
        seed=seed,
        num_items=interactions.num_items,
    )

"""The last book of each reader is the test, the one before it chooses."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.user_order import (
    build_histories,
    locate_in_history,
    sort_chronologically,
)
from kd_tf.errors import UserError

LEAVE_ONE_OUT = "leave-one-out"


def split_leave_one_out(interactions: Interactions, *, seed: int = 42) -> Split:
    """Of each reader with three books or more the last tests, the one before it validates.

    Last by time; without timestamps `seed` draws the order, and equal times too. What the test
    shows are all earlier books, the validation book too. Readers with fewer books only train.
    Source of the protocol: He et al., "Neural Collaborative Filtering", 2017; with the history as
    here Kang and McAuley, "Self-Attentive Sequential Recommendation", 2018.

    Args:
        interactions: Each pair of reader and book at most once (see `kd_tf.data.clean`).
        seed: Draws what the times leave open.

    Raises:
        UserError: Nobody has three books.
    """
    order = sort_chronologically(interactions, np.random.default_rng(seed))
    place, length = locate_in_history(interactions, order)
    judged = length >= 3
    tests, validates = judged & (place == length - 1), judged & (place == length - 2)
    users = np.unique(interactions.user[order[tests]])
    if not len(users):
        raise UserError(
            "no reader has three books, so none can be learnt from, chosen by and tested",
            hint="Set min_user_interactions to 3 or more, or choose another protocol.",
        )

    def some(rows: np.ndarray) -> Histories:
        return build_histories(interactions, order[rows], users)

    return Split(
        train=build_histories(interactions, order[~tests & ~validates]),
        train_users=np.arange(interactions.num_users, dtype=np.int32),
        validation=HeldOutSet(some(~tests & ~validates), some(validates), users),
        test=HeldOutSet(some(~tests), some(tests), users),
        protocol=LEAVE_ONE_OUT,
        seed=seed,
        num_items=interactions.num_items,
    )

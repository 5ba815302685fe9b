"""Leave-one-out split: the last item of each user for test, the one before for validation."""

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

LEAVE_ONE_OUT = "leave-one-out"


def split_leave_one_out(interactions: Interactions, *, seed: int = 42) -> Split:
    """Splits off the last item of each user for test and the one before for validation.

    Last by time; `seed` draws the order of equal times, and of all items without timestamps. The
    test histories hold all earlier items, also the validation item. Users with fewer than three
    items are in training only, and so is every second user (drawn by `seed`) where all have three:
    nobody would be left with two items to learn from. Protocol of He et al., "Neural
    Collaborative Filtering", 2017; with the history as here Kang and McAuley, "Self-Attentive
    Sequential Recommendation", 2018.

    Args:
        interactions: At most one row per user-item pair (see `kd_tf.data.clean`).
        seed: Seed that draws the order of equal times.

    Returns:
        The split; without validation and test users where nobody has three items.
    """
    random = np.random.default_rng(seed)
    order = sort_chronologically(interactions, random)
    position, length = locate_in_history(interactions, order)
    is_held_out = length >= 3
    if len(length) and (length == 3).all():
        users = random.permutation(interactions.num_users)[: interactions.num_users // 2]
        is_held_out &= np.isin(interactions.user[order], users)
    is_test = is_held_out & (position == length - 1)
    is_validation = is_held_out & (position == length - 2)
    is_train = ~is_test & ~is_validation
    users = np.unique(interactions.user[order[is_test]])
    notes: tuple[str, ...] = ()
    if not len(users):
        notes = (
            "nobody can be tested: leave-one-out needs a user with three items, one each for "
            "training, validation and test, and another user to learn from",
        )

    def build(mask: np.ndarray) -> Histories:
        return build_histories(interactions, order[mask], users)

    return Split(
        train=build_histories(interactions, order[is_train]),
        train_users=np.arange(interactions.num_users, dtype=np.int32),
        validation=HeldOutSet(build(is_train), build(is_validation), users),
        test=HeldOutSet(build(~is_test), build(is_test), users),
        protocol=LEAVE_ONE_OUT,
        seed=seed,
        num_items=interactions.num_items,
        chronological=interactions.timestamp is not None,
        notes=notes,
    )

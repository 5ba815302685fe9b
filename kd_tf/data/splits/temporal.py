"""One moment for everybody: before it is learnt from, after it is to be foreseen."""

from __future__ import annotations

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.user_order import build_histories, sort_chronologically
from kd_tf.errors import UserError

TEMPORAL = "temporal"


def split_by_time(
    interactions: Interactions, *, test_share: float = 0.2, validation_share: float = 0.1
) -> Split:
    """Cuts all interactions at two moments: training, then validation, then test.

    Models learn from what is older than the first cut. Validation readers are those with books
    before the first cut and between the cuts; test readers those with books before and after the
    second one, and their histories hold all that is older than it. Rows of the same time are
    never parted: all of them are on the later side. Books that nobody read before the cut are in
    the catalogue and can be held out, though no model can know them.
    Source of the protocol: Meng et al., "Exploring data splitting strategies for the evaluation of
    recommendation models", 2020 (temporal global).

    Args:
        interactions: With timestamps, each pair of reader and book at most once.
        test_share: Share of the interactions after the second cut, above 0.
        validation_share: Share between the cuts, above 0; both together below 1.

    Raises:
        UserError: There are no timestamps, the shares do not fit, or a part stays empty.
    """
    if interactions.timestamp is None:
        raise UserError(
            "a temporal split needs timestamps, which the data does not have",
            hint="Name the column of the time, or choose another protocol.",
        )
    if not (test_share > 0 and validation_share > 0 and test_share + validation_share < 1):
        raise UserError(
            "test_share and validation_share must be above 0 and below 1 together, not "
            f"{test_share} and {validation_share}"
        )
    times = np.sort(interactions.timestamp)
    first, second = (
        times[int(len(times) * (1 - share))]
        for share in (test_share + validation_share, test_share)
    )
    # Nothing is drawn but the order of equal times, which is nobody's choice.
    order = sort_chronologically(interactions, np.random.default_rng(0))
    time = interactions.timestamp[order]
    left_out = []

    def held_out(begin: int, end: int | None) -> HeldOutSet:
        targets = (time >= begin) if end is None else (time >= begin) & (time < end)
        known = np.unique(interactions.user[order[time < begin]])
        asked = np.unique(interactions.user[order[targets]])
        users = np.intersect1d(known, asked)
        left_out.append(len(asked) - len(users))
        return HeldOutSet(
            build_histories(interactions, order[time < begin], users),
            build_histories(interactions, order[targets], users),
            users,
        )

    validation, test = held_out(first, second), held_out(second, None)
    train_users = np.unique(interactions.user[order[time < first]])
    if not len(validation.users) or not len(test.users):
        raise UserError(
            "no reader has books on both sides of a cut: the cuts are at "
            f"{first} and {second} seconds since 1970",
            hint="Other shares may help, or another protocol.",
        )
    return Split(
        train=build_histories(interactions, order[time < first], train_users),
        train_users=train_users,
        validation=validation,
        test=test,
        protocol=TEMPORAL,
        seed=0,
        num_items=interactions.num_items,
        notes=(
            f"cut at {first} and {second} seconds since 1970; {left_out[0]} readers of the "
            f"validation part and {left_out[1]} of the test part have no books before it and are "
            "left out",
        ),
    )

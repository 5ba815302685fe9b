"""Global time split: train before one time, test after a later one."""

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
    """Splits all interactions at two times into training, validation and test.

    Training interactions are older than the first cut. Validation users have items before the
    first cut and between the cuts; test users have items before and after the second cut, and
    their histories hold all items before it. Rows with equal times are never separated: all of
    them are on the later side. Items without interactions before the cut are in the catalog and
    can be targets, although no model can know them.
    Protocol of Meng et al., "Exploring data splitting strategies for the evaluation of
    recommendation models", 2020 (temporal global).

    Args:
        interactions: Interactions with timestamps, at most one row per user-item pair.
        test_share: Share of the interactions after the second cut, above 0.
        validation_share: Share between the cuts, above 0; below 1 together with `test_share`.

    Returns:
        The split; without validation or test users where nobody has items on both sides of a cut.

    Raises:
        UserError: There are no timestamps, a share is out of range, or nothing is older than the
            first cut.
    """
    if interactions.timestamp is None:
        raise UserError(
            "a temporal split needs timestamps, but the data has none",
            hint="Name the timestamp column, or choose another protocol.",
        )
    if not (test_share > 0 and validation_share > 0 and test_share + validation_share < 1):
        raise UserError(
            "test_share and validation_share must be above 0, and their sum below 1, not "
            f"{test_share} and {validation_share}"
        )
    times = np.sort(interactions.timestamp)
    first, second = (
        times[int(len(times) * (1 - share))]
        for share in (test_share + validation_share, test_share)
    )
    # The fixed seed only orders equal times, so this protocol needs no seed argument.
    order = sort_chronologically(interactions, np.random.default_rng(0))
    time = interactions.timestamp[order]
    num_dropped = []

    def hold_out(begin: int, end: int | None) -> HeldOutSet:
        targets = (time >= begin) if end is None else (time >= begin) & (time < end)
        earlier_users = np.unique(interactions.user[order[time < begin]])
        target_users = np.unique(interactions.user[order[targets]])
        users = np.intersect1d(earlier_users, target_users)
        num_dropped.append(len(target_users) - len(users))
        return HeldOutSet(
            build_histories(interactions, order[time < begin], users),
            build_histories(interactions, order[targets], users),
            users,
        )

    validation, test = hold_out(first, second), hold_out(second, None)
    train_users = np.unique(interactions.user[order[time < first]])
    if not len(train_users):
        raise UserError(
            f"nothing is left to train on: no interaction is older than the first cut, at {first} "
            "seconds since 1970",
            hint="Lower test_share and validation_share, or choose another protocol. Equal times "
            "are never separated.",
        )
    notes = [
        f"cut at {first} and {second} seconds since 1970; excluded {num_dropped[0]} users of the "
        f"validation part and {num_dropped[1]} of the test part, who have no items before the cut"
    ]
    if not len(test.users):
        notes.append("nobody can be tested: no user has items on both sides of the second cut")
    return Split(
        train=build_histories(interactions, order[time < first], train_users),
        train_users=train_users,
        validation=validation,
        test=test,
        protocol=TEMPORAL,
        seed=0,
        num_items=interactions.num_items,
        chronological=interactions.timestamp is not None,
        notes=tuple(notes),
    )

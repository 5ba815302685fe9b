"""Cold-item split: some items have no training interaction, as new books have none."""

from __future__ import annotations

import dataclasses

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.unseen_users import split_unseen_users
from kd_tf.errors import UserError

COLD_ITEMS = "cold-items"

DEFAULT_COLD_SHARE = 0.2
"""Share of the items that are cold in the test part by default."""

VALIDATION_RATIO = 4
"""The validation part has one cold item for so many of the test part."""

MIN_WARM_SHARE = 0.25
"""Least share of the items that keep their training interactions."""


def split_cold_items(
    interactions: Interactions,
    *,
    test_users: int,
    validation_users: int,
    cold_items: int | None = None,
    held_out_share: float = 0.2,
    seed: int = 42,
) -> Split:
    """Splits users as `split_unseen_users` does, and hides items from training.

    Cold items are drawn by `seed`: those of the test part, and a quarter as many for the validation
    part, so that nothing is chosen on test items. No training user, and no history, has any of
    them. The targets of a test user are the cold items of the test part and a share of the other
    items; validation users have those of the validation part. Users without another item than cold
    ones are left out. The idea of hiding items from training is that of Schein et al., "Methods and
    Metrics for Cold-Start Recommendations", 2002.

    Validation ranks all items but the cold ones of the test part, which are no target there. With
    them, four cold items in five would be wrong, and whatever raises cold items would seem bad.

    Args:
        interactions: At most one row per user-item pair.
        test_users: Number of test users.
        validation_users: Number of validation users.
        cold_items: Number of cold items of the test part; by default a fifth of all items.
        held_out_share: Share of a user's other items that is held out.
        seed: Seed that draws items and users.

    Raises:
        UserError: There are too few items or users.
    """
    num_items = interactions.num_items
    num_test = round(DEFAULT_COLD_SHARE * num_items) if cold_items is None else cold_items
    num_validation = max(num_test // VALIDATION_RATIO, 1)
    if num_test < 1 or num_test + num_validation > (1 - MIN_WARM_SHARE) * num_items:
        raise UserError(
            f"split.cold_items is {num_test}, and {num_validation} more are needed for "
            f"validation, but there are {num_items} items",
            hint=f"Set it to 1..{int((1 - MIN_WARM_SHARE) * num_items * 0.8)}.",
        )
    # A stream of its own: the users are those of the protocol unseen-users with this seed.
    shuffled_items = np.random.default_rng([seed, 1]).permutation(
        np.arange(1, num_items + 1, dtype=np.int32)
    )
    test_items = np.sort(shuffled_items[:num_test])
    validation_items = np.sort(shuffled_items[num_test : num_test + num_validation])
    is_cold = np.zeros(num_items + 1, bool)
    is_cold[test_items] = is_cold[validation_items] = True

    split = split_unseen_users(
        interactions,
        test_users=test_users,
        validation_users=validation_users,
        held_out_share=held_out_share,
        seed=seed,
    )
    train = split.train.keep(~is_cold[split.train.items])
    rows = np.flatnonzero(train.lengths > 0)
    return dataclasses.replace(
        split,
        train=train.take(rows),
        train_users=split.train_users[rows],
        validation=dataclasses.replace(
            _hide_items(split.validation, is_cold, validation_items),
            candidate_items=np.setdiff1d(np.arange(1, num_items + 1, dtype=np.int32), test_items),
        ),
        test=_hide_items(split.test, is_cold, test_items),
        protocol=COLD_ITEMS,
        notes=(
            *split.notes,
            f"{num_test:,} items of the test part and {num_validation:,} of the validation part "
            "have no training interaction",
        ),
    )


def _hide_items(held_out: HeldOutSet, is_cold: np.ndarray, cold_items: np.ndarray) -> HeldOutSet:
    """Moves the cold items of a part to the targets, and drops those of the other part.

    Args:
        held_out: The part, split as if there were no cold items.
        is_cold: bool [V + 1], the cold items of all parts.
        cold_items: int32 [c], those of this part.
    """
    in_part = np.zeros_like(is_cold)
    in_part[cold_items] = True
    all_items = held_out.histories.join(held_out.targets)
    histories = held_out.histories.keep(~is_cold[held_out.histories.items])
    targets = held_out.targets.keep(~is_cold[held_out.targets.items]).join(
        all_items.keep(in_part[all_items.items])
    )
    rows = np.flatnonzero((histories.lengths > 0) & (targets.lengths > 0))
    return HeldOutSet(
        histories.take(rows), targets.take(rows), held_out.users[rows], cold_items=cold_items
    )

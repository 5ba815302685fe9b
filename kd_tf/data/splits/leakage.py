"""Checks that no held-out target of a split leaks into training or the input histories."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import Split
from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.data.splits.cold_users import COLD_USERS
from kd_tf.data.splits.leave_one_out import LEAVE_ONE_OUT
from kd_tf.data.splits.temporal import TEMPORAL
from kd_tf.data.splits.unseen_users import UNSEEN_USERS

_UNSEEN_USERS = (UNSEEN_USERS, COLD_ITEMS, COLD_USERS)
"""Protocols under which no test user is a training user."""


class LeakageError(ValueError):
    """A held-out target leaks into training or inputs, so metrics would be too high."""


def check_leakage(split: Split, interactions: Interactions) -> None:
    """Raises LeakageError where a split leaks.

    - No user-item pair of the targets is in training, in the user's input history or in the seen
      items; none is a target of both validation and test.
    - Every pair comes from `interactions`, and every id is in the catalog.
    - Unseen users: no test or validation user is a training user.
    - Temporal: all training and input interactions are older than all targets.
    - Cold items: no training user and no history has one.
    - Leave-one-out with timestamps: no item of a history is newer than the target.

    Args:
        split: The split to check.
        interactions: The interactions that it was made of.

    Raises:
        LeakageError: There is a leak; the message names it.
    """
    pairs = np.unique(_encode_pairs(interactions.user, interactions.item, split.num_items))
    train = _encode_histories(split.train, split.train_users, split.num_items)
    _require_in_interactions(train, pairs, "training")
    targets = {}
    for name, held_out in (("validation", split.validation), ("test", split.test)):
        target_pairs = _encode_histories(held_out.targets, held_out.users, split.num_items)
        targets[name] = target_pairs
        _require_in_interactions(target_pairs, pairs, f"{name} targets")
        if np.any(held_out.targets.lengths < 1):
            raise LeakageError(f"a {name} user has no held-out item")
        _require_disjoint(
            target_pairs, train, f"{name} targets", "training", interactions, split.num_items
        )
        for part, histories in (
            ("histories", held_out.histories),
            ("seen items", held_out.seen_items),
        ):
            if histories is not None:
                input_pairs = _encode_histories(histories, held_out.users, split.num_items)
                _require_in_interactions(input_pairs, pairs, f"{name} {part}")
                _require_disjoint(
                    target_pairs,
                    input_pairs,
                    f"{name} targets",
                    f"the {part} of the same users",
                    interactions,
                    split.num_items,
                )
        if split.protocol in _UNSEEN_USERS:
            both = np.intersect1d(held_out.users, split.train_users)
            if len(both):
                user = interactions.user_ids[int(both[0])]
                raise LeakageError(f"{name} user {user!r} is also a training user")
    _require_disjoint(
        targets["validation"],
        targets["test"],
        "validation targets",
        "test targets",
        interactions,
        split.num_items,
    )
    if split.protocol in _UNSEEN_USERS:
        both = np.intersect1d(split.validation.users, split.test.users)
        if len(both):
            user = interactions.user_ids[int(both[0])]
            raise LeakageError(f"user {user!r} is both a validation and a test user")
    _check_cold_items(split)
    if interactions.timestamp is not None and split.protocol in (TEMPORAL, LEAVE_ONE_OUT):
        _check_times(split, interactions)


def _check_cold_items(split: Split) -> None:
    """Raises LeakageError where a cold item is in training or in a history."""
    for name, held_out in (("validation", split.validation), ("test", split.test)):
        if held_out.cold_items is None:
            continue
        for part, histories in (
            ("training", split.train),
            ("low-rated training items", split.low_rated),
            ("validation histories", split.validation.histories),
            ("test histories", split.test.histories),
        ):
            if histories is None:
                continue
            both = np.intersect1d(histories.items, held_out.cold_items)
            if len(both):
                raise LeakageError(f"the cold {name} item {int(both[0])} is in the {part}")


def _check_times(split: Split, interactions: Interactions) -> None:
    """Raises LeakageError where an input is not older than a target."""
    pairs = _encode_pairs(interactions.user, interactions.item, split.num_items)
    order = np.argsort(pairs)
    assert interactions.timestamp is not None
    pairs, time = pairs[order], interactions.timestamp[order]

    def look_up_times(histories: Histories, users: np.ndarray) -> np.ndarray:
        return time[np.searchsorted(pairs, _encode_histories(histories, users, split.num_items))]

    train_times = look_up_times(split.train, split.train_users)
    for name, held_out in (("validation", split.validation), ("test", split.test)):
        input_times = look_up_times(held_out.histories, held_out.users)
        target_times = look_up_times(held_out.targets, held_out.users)
        if split.protocol == TEMPORAL:
            newest = max(train_times.max(initial=_NEVER), input_times.max(initial=_NEVER))
            if len(target_times) and newest >= target_times.min():
                raise LeakageError(
                    f"{name}: the newest training or input interaction is at {newest}, but the "
                    f"oldest target is at {target_times.min()} seconds since 1970"
                )
        else:
            latest = np.full(len(held_out.histories), _NEVER)
            row = np.repeat(np.arange(len(latest)), held_out.histories.lengths)
            np.maximum.at(latest, row, input_times)
            row = np.repeat(np.arange(len(latest)), held_out.targets.lengths)
            is_leaking = latest[row] > target_times
            if is_leaking.any():
                user = interactions.user_ids[held_out.users[row[is_leaking.argmax()]]]
                raise LeakageError(
                    f"{name}: the history of user {user!r} has an item that is newer than the "
                    "target"
                )


_NEVER = np.iinfo(np.int64).min


def _encode_pairs(user: np.ndarray, item: np.ndarray, num_items: int) -> np.ndarray:
    """Returns a unique number for each user-item pair, int64 [n]."""
    return np.asarray(user.astype(np.int64) * (num_items + 1) + item)


def _encode_histories(histories: Histories, users: np.ndarray, num_items: int) -> np.ndarray:
    """Returns a unique number for each user-item pair of the histories, int64 [total]."""
    items = histories.items
    if len(items) and (items.min() < 1 or items.max() > num_items):
        raise LeakageError(f"ids must be in 1..{num_items}, not {items.min()}..{items.max()}")
    return _encode_pairs(np.repeat(users, histories.lengths), items, num_items)


def _require_in_interactions(pairs: np.ndarray, all_pairs: np.ndarray, name: str) -> None:
    """Raises LeakageError where a pair is not among the sorted `all_pairs`."""
    position = np.minimum(np.searchsorted(all_pairs, pairs), len(all_pairs) - 1)
    if len(pairs) and not (all_pairs[position] == pairs).all():
        raise LeakageError(f"{name}: a user-item pair is not in the interactions")


def _require_disjoint(
    targets: np.ndarray,
    inputs: np.ndarray,
    targets_name: str,
    inputs_name: str,
    interactions: Interactions,
    num_items: int,
) -> None:
    """Raises LeakageError where a target pair is among the input pairs."""
    both = np.intersect1d(targets, inputs)
    if len(both):
        user, item = divmod(int(both[0]), num_items + 1)
        raise LeakageError(
            f"{len(both)} pairs are in the {targets_name} and in {inputs_name}; the first: user "
            f"{interactions.user_ids[user]!r} and item {item}"
        )

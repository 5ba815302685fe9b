"""Proof that a split tells no model what it will be asked."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import Split
from kd_tf.data.splits.leave_one_out import LEAVE_ONE_OUT
from kd_tf.data.splits.temporal import TEMPORAL
from kd_tf.data.splits.unseen_users import UNSEEN_USERS


class LeakageError(ValueError):
    """A split shows what it asks for: its figures would be too good."""


def check_leakage(split: Split, interactions: Interactions) -> None:
    """Refuses a split with a leak.

    - No pair of reader and held-out book is in training, in the reader's own history or among the
      books that are known to be read; none is in the validation and the test alike.
    - Every pair comes from `interactions`, and ids are books.
    - Unseen readers: none of them trains.
    - Temporal: all that is learnt from or shown is older than all that is asked for.
    - Leave-one-out with timestamps: no book in a history is younger than the one asked for.

    Args:
        split: To be checked.
        interactions: What it was made of.

    Raises:
        LeakageError: There is one; it is named.
    """
    known = np.unique(_encode_pairs(interactions.user, interactions.item, split.num_items))
    train = _encode_histories(split.train, split.train_users, split.num_items)
    _require_in_interactions(train, known, "training")
    targets = {}
    for name, held_out in (("validation", split.validation), ("test", split.test)):
        asked = _encode_histories(held_out.targets, held_out.users, split.num_items)
        targets[name] = asked
        _require_in_interactions(asked, known, f"{name} targets")
        if np.any(held_out.targets.lengths < 1):
            raise LeakageError(f"a {name} reader has no held-out book")
        _require_disjoint(
            asked, train, f"{name} targets", "training", interactions, split.num_items
        )
        for part, histories in (
            ("histories", held_out.histories),
            ("known books", held_out.seen_items),
        ):
            if histories is not None:
                shown = _encode_histories(histories, held_out.users, split.num_items)
                _require_in_interactions(shown, known, f"{name} {part}")
                _require_disjoint(
                    asked,
                    shown,
                    f"{name} targets",
                    f"its own {part}",
                    interactions,
                    split.num_items,
                )
        if split.protocol == UNSEEN_USERS:
            both = np.intersect1d(held_out.users, split.train_users)
            if len(both):
                user = interactions.user_ids[int(both[0])]
                raise LeakageError(f"{name} reader {user!r} is a training reader too")
    _require_disjoint(
        targets["validation"],
        targets["test"],
        "validation targets",
        "test targets",
        interactions,
        split.num_items,
    )
    if split.protocol == UNSEEN_USERS:
        both = np.intersect1d(split.validation.users, split.test.users)
        if len(both):
            user = interactions.user_ids[int(both[0])]
            raise LeakageError(f"reader {user!r} both validates and tests")
    if interactions.timestamp is not None and split.protocol in (TEMPORAL, LEAVE_ONE_OUT):
        _check_times(split, interactions)


def _check_times(split: Split, interactions: Interactions) -> None:
    pairs = _encode_pairs(interactions.user, interactions.item, split.num_items)
    order = np.argsort(pairs)
    assert interactions.timestamp is not None
    pairs, time = pairs[order], interactions.timestamp[order]

    def times(histories: Histories, users: np.ndarray) -> np.ndarray:
        return time[np.searchsorted(pairs, _encode_histories(histories, users, split.num_items))]

    learnt = times(split.train, split.train_users)
    for name, held_out in (("validation", split.validation), ("test", split.test)):
        shown = times(held_out.histories, held_out.users)
        asked = times(held_out.targets, held_out.users)
        if split.protocol == TEMPORAL:
            youngest = max(learnt.max(initial=_NEVER), shown.max(initial=_NEVER))
            if len(asked) and youngest >= asked.min():
                raise LeakageError(
                    f"{name}: what is learnt from or shown is as young as {youngest}, what is "
                    f"asked for as old as {asked.min()}"
                )
        else:
            latest = np.full(len(held_out.histories), _NEVER)
            row = np.repeat(np.arange(len(latest)), held_out.histories.lengths)
            np.maximum.at(latest, row, shown)
            row = np.repeat(np.arange(len(latest)), held_out.targets.lengths)
            future = latest[row] > asked
            if future.any():
                user = interactions.user_ids[held_out.users[row[future.argmax()]]]
                raise LeakageError(
                    f"{name}: the history of reader {user!r} holds a book that is younger than "
                    "the one asked for"
                )


_NEVER = np.iinfo(np.int64).min


def _encode_pairs(user: np.ndarray, item: np.ndarray, num_items: int) -> np.ndarray:
    return user.astype(np.int64) * (num_items + 1) + item


def _encode_histories(histories: Histories, users: np.ndarray, num_items: int) -> np.ndarray:
    """int64 [total], a number for each pair of reader and book."""
    items = histories.items
    if len(items) and (items.min() < 1 or items.max() > num_items):
        raise LeakageError(f"ids must be in 1..{num_items}, not {items.min()}..{items.max()}")
    return _encode_pairs(np.repeat(users, histories.lengths), items, num_items)


def _require_in_interactions(pairs: np.ndarray, known: np.ndarray, name: str) -> None:
    place = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
    if len(pairs) and not (known[place] == pairs).all():
        raise LeakageError(f"{name} hold a pair of reader and book that is in no interaction")


def _require_disjoint(
    targets: np.ndarray,
    shown: np.ndarray,
    targets_name: str,
    shown_name: str,
    interactions: Interactions,
    num_items: int,
) -> None:
    both = np.intersect1d(targets, shown)
    if len(both):
        user, item = divmod(int(both[0]), num_items + 1)
        raise LeakageError(
            f"{len(both)} pairs are in the {targets_name} and in {shown_name}; the first: reader "
            f"{interactions.user_ids[user]!r} and book {item}"
        )

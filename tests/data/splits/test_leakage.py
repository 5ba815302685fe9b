"""Every kind of leak, put into a sound split, is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.leakage import LeakageError, check_leakage
from kd_tf.data.splits.leave_one_out import split_leave_one_out
from kd_tf.data.splits.temporal import split_by_time
from kd_tf.data.splits.unseen_users import split_unseen_users


@pytest.fixture
def table() -> Interactions:
    """Twelve users of eight items each, read one after the other."""
    random = np.random.default_rng(0)
    return Interactions(
        np.repeat(np.arange(12, dtype=np.int32), 8),
        np.concatenate([random.permutation(30)[:8] + 1 for _ in range(12)]).astype(np.int32),
        None,
        np.tile(np.arange(8), 12) * 100 + np.repeat(np.arange(12), 8),
        [f"r{u}" for u in range(12)],
        30,
    )


@pytest.fixture
def unseen(table: Interactions) -> Split:
    split = split_unseen_users(table, test_users=3, validation_users=3)
    check_leakage(split, table)
    return split


def rows(histories: Histories) -> list[list[int]]:
    return [histories[row].tolist() for row in range(len(histories))]


def changed(held_out: HeldOutSet, **parts: object) -> HeldOutSet:
    return dataclasses.replace(held_out, **parts)


def refused(split: Split, table: Interactions, message: str) -> None:
    with pytest.raises(LeakageError, match=message):
        check_leakage(split, table)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_target_in_training(unseen: Split, table: Interactions, part: str) -> None:
    held_out = getattr(unseen, part)
    train = from_lists([*rows(unseen.train), [int(held_out.targets[1][0])]])
    users = np.append(unseen.train_users, held_out.users[1])
    refused(
        dataclasses.replace(unseen, train=train, train_users=users),
        table,
        f"{part} targets and in training",
    )


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_target_in_its_own_history(unseen: Split, table: Interactions, part: str) -> None:
    held_out = getattr(unseen, part)
    histories = rows(held_out.histories)
    histories[2].append(int(held_out.targets[2][0]))
    spoilt = changed(held_out, histories=from_lists(histories))
    refused(dataclasses.replace(unseen, **{part: spoilt}), table, "the histories of the same users")


def test_a_target_among_the_items_known_to_be_read(unseen: Split, table: Interactions) -> None:
    spoilt = changed(unseen.test, seen_items=unseen.test.targets)
    refused(dataclasses.replace(unseen, test=spoilt), table, "the seen items of the same users")


def test_a_pair_that_both_validates_and_tests(table: Interactions) -> None:
    split = split_leave_one_out(table)
    refused(
        dataclasses.replace(
            split, validation=changed(split.validation, targets=split.test.targets)
        ),
        table,
        "validation targets and in test targets",
    )


@pytest.mark.parametrize("part", ["test", "validation"])
def test_an_unseen_user_who_trains(unseen: Split, table: Interactions, part: str) -> None:
    held_out = getattr(unseen, part)
    train = from_lists([*rows(unseen.train), held_out.histories[0]])
    users = np.append(unseen.train_users, held_out.users[0])
    refused(
        dataclasses.replace(unseen, train=train, train_users=users),
        table,
        f"{part} user 'r.*' is also a training user",
    )


def test_a_user_who_validates_and_tests(unseen: Split, table: Interactions) -> None:
    test = unseen.test
    half = [[row[0]] for row in rows(test.targets)]
    other = [row[1:] for row in rows(test.targets)]
    assert all(other)
    refused(
        dataclasses.replace(
            unseen,
            test=changed(test, targets=from_lists(half)),
            validation=changed(test, targets=from_lists(other)),
        ),
        table,
        "both a validation and a test user",
    )


@pytest.mark.parametrize("item", [0, 31, -1])
def test_an_id_that_is_no_item(unseen: Split, table: Interactions, item: int) -> None:
    train = from_lists([*rows(unseen.train)[:-1], [item]])
    refused(dataclasses.replace(unseen, train=train), table, r"ids must be in 1\.\.30")


def test_a_pair_from_nowhere(unseen: Split, table: Interactions) -> None:
    for part in ("targets", "histories"):
        lists = rows(getattr(unseen.test, part))
        user = unseen.test.users[0]
        unread = set(range(1, 31)) - set(table.item[table.user == user].tolist())
        lists[0].append(min(unread))
        spoilt = changed(unseen.test, **{part: from_lists(lists)})
        refused(dataclasses.replace(unseen, test=spoilt), table, f"test {part}: a user-item pair")


def test_a_user_without_a_target(unseen: Split, table: Interactions) -> None:
    targets = rows(unseen.test.targets)
    targets[1] = []
    spoilt = changed(unseen.test, targets=from_lists(targets))
    refused(dataclasses.replace(unseen, test=spoilt), table, "no held-out item")


def test_the_future_in_a_temporal_split(table: Interactions) -> None:
    split = split_by_time(table)
    check_leakage(split, table)
    # A user's last training item and first test item change places.
    user = int(split.test.users[0])
    row = int(np.flatnonzero(split.train_users == user)[0])
    train, targets, shown = rows(split.train), rows(split.test.targets), rows(split.test.histories)
    old, new = train[row][-1], targets[0][0]
    train[row][-1], targets[0][0] = new, old
    shown[0][shown[0].index(old)] = new
    validation = rows(split.validation.histories)
    place = int(np.flatnonzero(split.validation.users == user)[0])
    validation[place][validation[place].index(old)] = new
    spoilt = dataclasses.replace(
        split,
        train=from_lists(train),
        test=changed(split.test, targets=from_lists(targets), histories=from_lists(shown)),
        validation=changed(split.validation, histories=from_lists(validation)),
    )
    refused(spoilt, table, "the newest training or input interaction")


def test_the_future_in_a_history_of_leave_one_out(table: Interactions) -> None:
    split = split_leave_one_out(table)
    check_leakage(split, table)
    shown, targets = rows(split.test.histories), rows(split.test.targets)
    shown[4][0], targets[4][0] = targets[4][0], shown[4][0]
    train = rows(split.train)
    train[4][0] = shown[4][0]
    validation = rows(split.validation.histories)
    validation[4][0] = shown[4][0]
    spoilt = dataclasses.replace(
        split,
        train=from_lists(train),
        validation=changed(split.validation, histories=from_lists(validation)),
        test=changed(split.test, histories=from_lists(shown), targets=from_lists(targets)),
    )
    refused(spoilt, table, "newer than")


@pytest.mark.slow
def test_ten_million_pairs_take_some_seconds_not_minutes() -> None:
    """One million here; the time grows like that of a sort."""
    random = np.random.default_rng(0)
    pairs = random.permutation(100_000 * 50)[:1_000_000]
    table = Interactions(
        (pairs // 50).astype(np.int32),
        (pairs % 50 + 1).astype(np.int32),
        None,
        random.integers(0, 10**6, len(pairs)),
        [str(u) for u in range(100_000)],
        50,
    )
    table = table.keep(np.bincount(table.user, minlength=100_000)[table.user] >= 2)
    check_leakage(split_unseen_users(table, test_users=1000, validation_users=1000), table)

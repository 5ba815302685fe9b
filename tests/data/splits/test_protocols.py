"""Properties of every protocol: nothing leaks, nothing is lost, and a seed repeats it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kd_tf.data.catalog import Catalog
from kd_tf.data.dataset import Dataset
from kd_tf.data.interactions import Interactions
from kd_tf.data.prepare import SplitOptions, ensure_validation_split, prepare_splits
from kd_tf.data.split import Split
from kd_tf.data.splits.folds import make_interaction_folds, make_user_folds
from kd_tf.data.splits.leakage import check_leakage
from kd_tf.data.splits.leave_one_out import split_leave_one_out
from kd_tf.data.splits.published import PUBLISHED, split_as_published
from kd_tf.data.splits.random_holdout import split_random_holdout
from kd_tf.data.splits.temporal import split_by_time
from kd_tf.data.splits.unseen_users import split_unseen_users
from kd_tf.data.splits.validation import hold_out_validation
from kd_tf.errors import UserError

ITEMS = 12


@st.composite
def tables(draw: st.DrawFn, times: bool | None = None) -> Interactions:
    """Users of 2 to 9 items, with times that tie, in any order of rows; weights tell the rows."""
    items_of = draw(
        st.lists(
            st.lists(st.integers(1, ITEMS), min_size=2, max_size=9, unique=True),
            min_size=4,
            max_size=9,
        )
    )
    pairs = [(user, item) for user, items in enumerate(items_of) for item in items]
    pairs = draw(st.permutations(pairs))
    n = len(pairs)
    timed = draw(st.booleans()) if times is None else times
    time = np.array(draw(st.lists(st.integers(-3, 5), min_size=n, max_size=n)), np.int64)
    return Interactions(
        user=np.array([user for user, _ in pairs], np.int32),
        item=np.array([item for _, item in pairs], np.int32),
        rating=None,
        timestamp=time if timed else None,
        user_ids=[f"r{user}" for user in range(len(items_of))],
        num_items=ITEMS,
        weight=np.arange(1, n + 1, dtype=np.float32),
    )


def pairs_of(histories, users) -> set[tuple[int, int]]:
    return {(int(user), int(item)) for row, user in enumerate(users) for item in histories[row]}


def everything(interactions: Interactions) -> set[tuple[int, int]]:
    return set(zip(interactions.user.tolist(), interactions.item.tolist(), strict=True))


def attempt(make: Callable[[], Split]) -> Split:
    """Small tables can be too small for a protocol: those are not what is tested here."""
    try:
        return make()
    except UserError:
        assume(False)
        raise AssertionError from None


PROTOCOLS: dict[str, Callable[[Interactions, int], Split]] = {
    "unseen-users": lambda t, seed: split_unseen_users(
        t, test_users=1, validation_users=1, seed=seed
    ),
    "leave-one-out": lambda t, seed: split_leave_one_out(t, seed=seed),
    "temporal": lambda t, seed: split_by_time(t, test_share=0.3, validation_share=0.3),
    "random": lambda t, seed: split_random_holdout(
        t, test_share=0.3, validation_share=0.3, seed=seed
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=60)
@given(data=st.data())
def test_no_protocol_leaks_and_each_is_called_by_its_name(protocol: str, data) -> None:
    table = data.draw(tables(times=True if protocol == "temporal" else None))
    split = attempt(lambda: PROTOCOLS[protocol](table, data.draw(st.integers(0, 9))))
    assert split.protocol == protocol
    check_leakage(split, table)
    for held_out in (split.validation, split.test):
        assert (held_out.targets.lengths >= 1).all()
        assert len(held_out.users) == len(held_out.histories) == len(held_out.targets)
        assert np.array_equal(held_out.users, np.unique(held_out.users))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_history_carries_the_weights_of_its_rows(protocol: str, data) -> None:
    table = data.draw(tables(times=True))
    split = attempt(lambda: PROTOCOLS[protocol](table, 3))
    weight = {
        (int(u), int(i)): w for u, i, w in zip(table.user, table.item, table.weight, strict=True)
    }
    for histories, users in (
        (split.train, split.train_users),
        (split.test.histories, split.test.users),
        (split.test.targets, split.test.users),
    ):
        row = np.repeat(users, histories.lengths)
        expected = [weight[int(u), int(i)] for u, i in zip(row, histories.items, strict=True)]
        assert histories.weights.tolist() == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_seed_repeats_a_split(protocol: str, data) -> None:
    table = data.draw(tables(times=True))
    first = attempt(lambda: PROTOCOLS[protocol](table, 3))
    assert PROTOCOLS[protocol](table, 3).fingerprint() == first.fingerprint()


def large_table(times: bool) -> Interactions:
    random = np.random.default_rng(0)
    user = np.repeat(np.arange(60, dtype=np.int32), 10)
    item = np.concatenate([random.permutation(40)[:10] + 1 for _ in range(60)]).astype(np.int32)
    time = random.integers(0, 1000, 600) if times else None
    return Interactions(user, item, None, time, [str(u) for u in range(60)], 40)


@pytest.mark.parametrize("protocol", ["unseen-users", "leave-one-out", "random"])
def test_another_seed_makes_another_split(protocol: str) -> None:
    table = large_table(times=False)
    splits = [PROTOCOLS[protocol](table, seed).test for seed in (1, 2)]
    assert not (
        np.array_equal(splits[0].targets.items, splits[1].targets.items)
        and np.array_equal(splits[0].users, splits[1].users)
    )


@settings(max_examples=60)
@given(tables())
def test_leave_one_out_parts_every_users_items_into_three(table: Interactions) -> None:
    assume(set(np.bincount(table.user)) != {3})
    split = split_leave_one_out(table)
    parts = [
        pairs_of(split.train, split.train_users),
        pairs_of(split.validation.targets, split.validation.users),
        pairs_of(split.test.targets, split.test.users),
    ]
    assert set().union(*parts) == everything(table)
    assert sum(map(len, parts)) == len(table)
    counts = np.bincount(table.user)
    assert split.test.users.tolist() == np.flatnonzero(counts >= 3).tolist()
    assert (split.test.targets.lengths == 1).all()
    assert (split.validation.targets.lengths == 1).all()
    for row in range(len(split.test.users)):
        shown = split.test.histories[row].tolist()
        earlier = split.validation.histories[row].tolist() + split.validation.targets[row].tolist()
        assert shown == earlier


def test_leave_one_out_matches_the_hand_computed_case() -> None:
    table = Interactions(
        user=np.array([0, 0, 0, 0, 1, 1], np.int32),
        item=np.array([4, 3, 2, 1, 1, 2], np.int32),
        rating=None,
        timestamp=np.array([30, 10, 20, 40, 1, 2]),
        user_ids=["a", "b"],
        num_items=4,
    )
    split = split_leave_one_out(table)
    assert [split.train[row].tolist() for row in range(2)] == [[3, 2], [1, 2]]
    assert split.validation.targets[0].tolist() == [4]
    assert split.test.histories[0].tolist() == [3, 2, 4]
    assert split.test.targets[0].tolist() == [1]
    assert split.test.users.tolist() == [0]


def make_table(*histories: list[int], times: bool = False) -> Interactions:
    """A table of users with these items, in this order in time."""
    n = sum(map(len, histories))
    return Interactions(
        np.repeat(np.arange(len(histories), dtype=np.int32), [len(items) for items in histories]),
        np.array([item for items in histories for item in items], np.int32),
        None,
        np.arange(n, dtype=np.int64) if times else None,
        [f"u{user}" for user in range(len(histories))],
        ITEMS,
    )


def test_leave_one_out_tests_nobody_without_a_user_of_three_items() -> None:
    split = split_leave_one_out(make_table([1, 2], [2, 3]))
    assert not len(split.test.users)
    assert not len(split.validation.users)
    assert split.train.lengths.tolist() == [2, 2]
    assert "nobody can be tested" in split.notes[0]


@pytest.mark.parametrize("num_users", [1, 2, 5])
def test_leave_one_out_keeps_half_of_the_users_whole_where_all_have_three(num_users: int) -> None:
    split = split_leave_one_out(make_table(*[[1, 2, 3]] * num_users))
    assert len(split.test.users) == len(split.validation.users) == num_users // 2
    assert sorted(split.train.lengths) == [1] * (num_users // 2) + [3] * (
        num_users - num_users // 2
    )


def test_random_holdout_tests_nobody_where_shares_are_less_than_half_an_item() -> None:
    split = split_random_holdout(make_table([1, 2], [2, 3]))
    assert not len(split.test.users)
    assert split.train.lengths.tolist() == [2, 2]
    assert "less than half an item" in split.notes[0]


def test_temporal_tests_nobody_where_users_read_one_after_another() -> None:
    split = split_by_time(make_table([1, 2, 3, 4], [1, 2, 3, 4], [1, 2], times=True))
    assert split.train.lengths.tolist() == [4, 3]
    assert split.test.users.tolist() == []
    assert "nobody can be tested" in split.notes[1]


def test_temporal_cannot_train_on_a_single_moment() -> None:
    table = dataclasses.replace(make_table([1, 2], [1, 3]), timestamp=np.full(4, 7))
    with pytest.raises(UserError, match="nothing is left to train on"):
        split_by_time(table)


def make_tiny_dataset(*histories: list[int]) -> Dataset:
    ids = [str(item) for item in range(1, ITEMS + 1)]
    return Dataset(
        "tiny", make_table(*histories, times=True), Catalog(pl.DataFrame({"item_id": ids}))
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=60, deadline=None)
@given(
    histories=st.lists(
        st.lists(st.integers(1, ITEMS), min_size=1, max_size=ITEMS, unique=True),
        min_size=1,
        max_size=12,
    ),
    seed=st.integers(0, 3),
)
def test_tiny_tables_are_split_so_that_something_is_left_to_learn_from(
    protocol: str, histories: list[list[int]], seed: int
) -> None:
    data, options = make_tiny_dataset(*histories), SplitOptions(protocol)
    if max(map(len, histories)) < 2:
        with pytest.raises(UserError, match="fewer than 2 items") as caught:
            prepare_splits(data, options=options, seed=seed)
        assert "No user has two items" in caught.value.hint
        return
    prepared = prepare_splits(data, options=options, seed=seed)
    split = ensure_validation_split(prepared.split)
    # Items that are held out for validation afterwards are any, not the newest.
    check_leakage(dataclasses.replace(split, protocol="random"), prepared.interactions)
    # Nobody with two items is lost where there are so few.
    assert prepared.interactions.num_users == sum(len(items) >= 2 for items in histories)
    # A global cut in time may leave nobody with two items; nothing else does.
    assert protocol == "temporal" or split.train.lengths.max() >= 2
    if protocol == "unseen-users":
        users = prepared.interactions.num_users
        assert len(split.test.users) == (max(users // 5, 1) if users > 1 else 0)
        # Two or more train wherever there are three.
        assert len(split.train_users) >= min(2, max(users - 1, 1))
    if not len(split.validation.users):
        assert "default settings" in split.notes[-1]
        # Only a last pair, or single items, cannot be spared.
        assert split.train.lengths.max() <= 2
    if not len(split.test.users):
        assert any("nobody can be tested" in note for note in split.notes)


def test_set_numbers_of_users_leave_the_other_default_what_fits() -> None:
    data = make_tiny_dataset(*[[1, 2, 3]] * 4)

    def count(**options: int) -> tuple[int, int, int]:
        parts = prepare_splits(data, options=SplitOptions("unseen-users", **options)).split
        return len(parts.train), len(parts.validation.users), len(parts.test.users)

    assert count() == (2, 1, 1)
    assert count(test_users=2) == (2, 0, 2)
    assert count(test_users=3) == (1, 0, 3)
    assert count(validation_users=3) == (1, 3, 0)
    with pytest.raises(UserError, match="leave none for training"):
        count(test_users=4)
    with pytest.raises(UserError, match="leave none for training"):
        count(test_users=2, validation_users=2)


@settings(max_examples=60)
@given(tables())
def test_random_holdout_parts_every_users_items_by_share(table: Interactions) -> None:
    split = attempt(lambda: split_random_holdout(table, test_share=0.25, validation_share=0.25))
    train = pairs_of(split.train, split.train_users)
    validation = pairs_of(split.validation.targets, split.validation.users)
    test = pairs_of(split.test.targets, split.test.users)
    assert train | validation | test == everything(table)
    assert len(train) + len(validation) + len(test) == len(table)
    for user, count in enumerate(np.bincount(table.user)):
        held = min(int(np.round(count * 0.25)), count - 1)
        assert sum(u == user for u, _ in test) == held
        assert sum(u == user for u, _ in train) >= 1
    shown = pairs_of(split.test.histories, split.test.users)
    tested = {user for user, _ in test}
    assert shown == {(u, b) for u, b in train | validation if u in tested}


@settings(max_examples=60)
@given(tables(times=True))
def test_temporal_shows_the_past_and_holds_out_the_future(table: Interactions) -> None:
    split = attempt(lambda: split_by_time(table, test_share=0.3, validation_share=0.3))
    time = {
        (int(u), int(i)): int(t)
        for u, i, t in zip(table.user, table.item, table.timestamp, strict=True)
    }

    def times(histories, users) -> list[int]:
        return [time[pair] for pair in pairs_of(histories, users)]

    learned = times(split.train, split.train_users)
    assume(len(split.validation.users) and len(split.test.users))
    for held_out in (split.validation, split.test):
        calls = times(held_out.targets, held_out.users)
        assert max(learned) < min(calls)
        assert max(times(held_out.histories, held_out.users)) < min(calls)
        assert (held_out.histories.lengths >= 1).all()
    cut = min(t for t in time.values() if t > max(learned))
    assert pairs_of(split.train, split.train_users) == {p for p, t in time.items() if t < cut}
    assert len(split.notes) == 1


def test_temporal_matches_the_hand_computed_case() -> None:
    # Cuts at 60 % and 80 % of ten rows: times 6 and 8; c has nothing before 8 and is left out.
    users, items = "aaaabbbbcc", [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
    times = [0, 3, 6, 8, 1, 2, 4, 7, 8, 9]
    table = Interactions(
        np.array(["abc".index(u) for u in users], np.int32),
        np.array(items, np.int32),
        None,
        np.array(times),
        ["a", "b", "c"],
        4,
    )
    split = split_by_time(table, test_share=0.3, validation_share=0.2)
    assert [split.train[row].tolist() for row in range(2)] == [[1, 2], [1, 2, 3]]
    assert split.validation.users.tolist() == [0, 1]
    assert [split.validation.targets[row].tolist() for row in range(2)] == [[3], [4]]
    assert split.test.users.tolist() == [0]
    assert split.test.histories[0].tolist() == [1, 2, 3]
    assert split.test.targets[0].tolist() == [4]
    assert "1 of the test part" in split.notes[0]


def test_temporal_needs_times() -> None:
    with pytest.raises(UserError, match="timestamps"):
        split_by_time(large_table(times=False))


@pytest.mark.parametrize("split", [split_by_time, split_random_holdout])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0, 0.1), (0.1, 0), (-0.1, 0.2)])
def test_shares_that_leave_nothing_are_refused(split, shares) -> None:
    test_share, validation_share = shares
    with pytest.raises(UserError, match="test_share"):
        split(large_table(times=True), test_share=test_share, validation_share=validation_share)


@settings(max_examples=40)
@given(tables(), st.integers(3, 4))
def test_each_user_tests_in_one_fold_and_validates_in_another(table, folds) -> None:
    splits = make_user_folds(table, folds)
    for name in ("test", "validation"):
        users = np.concatenate([getattr(split, name).users for split in splits])
        assert sorted(users) == list(range(table.num_users))
    for split in splits:
        check_leakage(split, table)
        divided = [split.train_users, split.validation.users, split.test.users]
        assert sorted(np.concatenate(divided)) == list(range(table.num_users))


@settings(max_examples=40)
@given(tables(), st.integers(3, 4))
def test_each_interaction_tests_in_one_fold(table, folds) -> None:
    splits = make_interaction_folds(table, folds)
    tested: list[tuple[int, int]] = []
    for split in splits:
        check_leakage(split, table)
        tested += pairs_of(split.test.targets, split.test.users)
    assert len(tested) == len(set(tested))
    # Only items of users who have nothing else to be shown are never asked for.
    lost = everything(table) - set(tested)
    assert not lost


@pytest.mark.parametrize("make", [make_user_folds, make_interaction_folds])
def test_folds_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(UserError, match="3 or more"):
        make(large_table(times=False), 2)
    with pytest.raises(UserError, match="too few for 1000 folds"):
        make(large_table(times=False), 1000)


# Published splits


def published(rows: list[tuple[int, int, int]]) -> tuple[Interactions, np.ndarray]:
    """From (user, item, part)."""
    users = sorted({user for user, *_ in rows})
    table = Interactions(
        np.array([users.index(user) for user, *_ in rows], np.int32),
        np.array([item for _, item, _ in rows], np.int32),
        None,
        None,
        [f"u{user}" for user in users],
        ITEMS,
    )
    return table, np.array([part for *_, part in rows], np.int8)


ROWS = [(0, 5, 0), (0, 2, 0), (0, 7, 1), (0, 1, 2), (1, 3, 0), (1, 4, 0), (2, 9, 2), (2, 8, 1)]


def test_a_published_split_is_that_of_its_files() -> None:
    table, part = published(ROWS)
    split = split_as_published(table, part)
    check_leakage(split, table)
    assert split.protocol == PUBLISHED
    assert split.train_users.tolist() == [0, 1]
    assert [split.train[row].tolist() for row in range(2)] == [[5, 2], [3, 4]]
    assert split.test.users.tolist() == [0, 2]
    assert [split.test.histories[row].tolist() for row in range(2)] == [[5, 2], []]
    assert [split.test.targets[row].tolist() for row in range(2)] == [[1], [9]]
    assert [split.test.seen_items[row].tolist() for row in range(2)] == [[7], [8]]
    assert split.validation.seen_items is None
    assert split.validation.histories[0].tolist() == [5, 2]


def test_validation_items_can_be_shown() -> None:
    table, part = published(ROWS)
    split = split_as_published(table, part, show_validation=True)
    check_leakage(split, table)
    assert [split.test.histories[row].tolist() for row in range(2)] == [[5, 2, 7], [8]]
    assert split.test.seen_items is None
    assert split.train.items.tolist() == [5, 2, 3, 4]


def test_a_pair_in_two_parts_is_refused_or_stays_in_the_earlier_one() -> None:
    table, part = published([*ROWS, (1, 3, 2), (1, 3, 1)])
    with pytest.raises(UserError, match="'u1' has the same item in the validation part") as caught:
        split_as_published(table, part)
    assert "--on-bad-rows skip" in caught.value.hint
    split = split_as_published(table, part, on_repeated="keep-train")
    check_leakage(split, table)
    assert split.test.users.tolist() == [0, 2]
    assert "kept 2 pairs in the earlier part" in split.notes[0]


def test_a_pair_that_repeats_within_a_part_counts_once() -> None:
    table, part = published([*ROWS, (0, 5, 0)])
    split = split_as_published(table, part)
    assert split.train[0].tolist() == [5, 2]
    assert "1 repeated user-item pairs within a part" in split.notes[0]


@pytest.mark.parametrize(("missing", "name"), [(0, "training"), (2, "test")])
def test_a_published_split_needs_training_and_test_rows(missing: int, name: str) -> None:
    table, part = published([row for row in ROWS if row[2] != missing])
    with pytest.raises(UserError, match=f"no {name} rows"):
        split_as_published(table, part)


@settings(max_examples=60)
@given(tables(), st.data())
def test_any_division_of_pairs_is_a_published_split(table: Interactions, data) -> None:
    part = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(table), max_size=len(table))), np.int8
    )
    split = attempt(lambda: split_as_published(table, part))
    check_leakage(split, table)
    for number, actual in (
        (0, pairs_of(split.train, split.train_users)),
        (1, pairs_of(split.validation.targets, split.validation.users)),
        (2, pairs_of(split.test.targets, split.test.users)),
    ):
        rows = part == number
        expected = set(zip(table.user[rows].tolist(), table.item[rows].tolist(), strict=True))
        assert actual == expected


@settings(max_examples=60)
@given(tables(), st.data())
def test_held_out_validation_items_come_from_training_alone(table, data) -> None:
    part = np.array(
        data.draw(st.lists(st.sampled_from([0, 2]), min_size=len(table), max_size=len(table))),
        np.int8,
    )
    split = attempt(lambda: split_as_published(table, part))
    carved = hold_out_validation(split)
    assume(len(carved.validation.users))
    check_leakage(carved, table)
    before = pairs_of(split.train, split.train_users)
    after = pairs_of(carved.train, carved.train_users)
    hidden = pairs_of(carved.validation.targets, carved.validation.users)
    assert after | hidden == before
    assert not after & hidden
    assert hidden
    assert carved.test.users is split.test.users
    assert carved.test.histories.items is split.test.histories.items
    assert carved.test.targets.items is split.test.targets.items
    assert (carved.train.lengths[split.train.lengths > 0] >= 1).all()
    assert split.train.lengths.max() < 2 or carved.train.lengths.max() >= 2
    shown = pairs_of(carved.validation.histories, carved.validation.users)
    chosen = set(carved.validation.users.tolist())
    assert shown == {(u, b) for u, b in after if u in chosen}
    assert "no validation part" in carved.notes[-1]

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.unseen_users import split_unseen_users
from kd_tf.errors import UserError

ITEMS = 30


def table(items_of: list[list[int]], times_of: list[list[int]] | None = None) -> Interactions:
    """Rows in the order user by user; user ``r`` read ``books_of[r]``."""
    return Interactions(
        user=np.repeat(np.arange(len(items_of)), [len(items) for items in items_of]).astype("i4"),
        item=np.concatenate([np.array(items, np.int32) for items in items_of]),
        rating=None,
        timestamp=None if times_of is None else np.concatenate(times_of).astype(np.int64),
        user_ids=[f"reader {number}" for number in range(len(items_of))],
        num_items=ITEMS,
    )


def shuffled(interactions: Interactions, order: np.ndarray) -> Interactions:
    time = interactions.timestamp
    return Interactions(
        interactions.user[order],
        interactions.item[order],
        None,
        None if time is None else time[order],
        interactions.user_ids,
        interactions.num_items,
    )


def rows(histories: Histories) -> list[list[int]]:
    return [histories[row].tolist() for row in range(len(histories))]


users_items = st.lists(
    st.lists(st.integers(1, ITEMS), min_size=2, max_size=12, unique=True), min_size=3, max_size=12
)


@st.composite
def splits(draw) -> tuple[list[list[int]], Split, float]:
    items_of = draw(users_items)
    test_users = draw(st.integers(1, len(items_of) - 2))
    validation_users = draw(st.integers(1, len(items_of) - 1 - test_users))
    held_out = draw(st.floats(0.05, 0.95))
    data = table(items_of)
    if draw(st.booleans()):
        time = np.array(draw(st.lists(st.integers(-5, 5), min_size=len(data), max_size=len(data))))
        data = Interactions(data.user, data.item, None, time, data.user_ids, ITEMS)
    split = split_unseen_users(
        data,
        test_users=test_users,
        validation_users=validation_users,
        held_out_share=held_out,
        seed=draw(st.integers(0, 99)),
    )
    assert len(split.test.users) == test_users
    assert len(split.validation.users) == validation_users
    assert len(split.train) == len(items_of) - test_users - validation_users
    return items_of, split, held_out


@settings(deadline=None)
@given(splits())
def test_no_user_is_in_two_parts_and_none_is_lost(samples):
    items_of, split, _ = samples
    evaluated = [*split.validation.users.tolist(), *split.test.users.tolist()]
    assert len(set(evaluated)) == len(evaluated)
    # Each user's items are somewhere once: those of training users in training, whole.
    remaining = sorted(sorted(items) for r, items in enumerate(items_of) if r not in evaluated)
    assert sorted(sorted(row) for row in rows(split.train)) == remaining


@settings(deadline=None)
@given(splits())
def test_what_is_shown_and_what_is_hidden_are_a_users_items_each_once(samples):
    items_of, split, _ = samples
    for part in (split.validation, split.test):
        assert len(part.histories) == len(part.targets) == len(part.users)
        for user, shown, hidden in zip(
            part.users, rows(part.histories), rows(part.targets), strict=True
        ):
            assert shown
            assert hidden
            assert sorted(shown + hidden) == sorted(items_of[user])


@settings(deadline=None)
@given(splits())
def test_the_configured_share_is_held_out_to_the_nearest_item(samples):
    items_of, split, held_out = samples
    for part in (split.validation, split.test):
        for user, hidden in zip(part.users, rows(part.targets), strict=True):
            calls = held_out * len(items_of[user])
            nearest = abs(len(hidden) - calls) <= 0.5
            assert nearest or len(hidden) in (1, len(items_of[user]) - 1)


def test_the_shares_by_hand():
    lengths = [2, 3, 5, 8, 10, 20]
    data = table([list(range(1, length + 1)) for length in lengths] + [[1, 2]])
    split = split_unseen_users(data, test_users=6, validation_users=0, held_out_share=0.2)
    hidden = dict(zip(split.test.users.tolist(), split.test.targets.lengths, strict=True))
    by_hand = {0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 1}
    assert hidden == {user: by_hand[user] for user in hidden}
    assert len(hidden) == 6


@settings(deadline=None)
@given(users_items, st.integers(0, 99), st.randoms(use_true_random=False))
def test_where_times_are_known_the_newest_are_hidden_and_histories_run_oldest_first(
    items_of, seed, random
):
    # Item b is read at time -b: all differ, and the file is in any order.
    data = table(items_of, [[-item for item in items] for items in items_of])
    order = np.array(random.sample(range(len(data)), len(data)))
    split = split_unseen_users(shuffled(data, order), test_users=1, validation_users=1, seed=seed)
    for row in rows(split.train):
        assert row == sorted(row, reverse=True)
    for part in (split.validation, split.test):
        assert isinstance(part, HeldOutSet)
        for shown, hidden in zip(rows(part.histories), rows(part.targets), strict=True):
            assert shown + hidden == sorted(shown + hidden, reverse=True)


def test_without_times_the_order_of_the_file_does_not_matter():
    # 2,000 users whose items all stand in rising order: if the file's order counted, item 5
    # would be the hidden one each time.
    data = table([[1, 2, 3, 4, 5]] * 2000)
    split = split_unseen_users(data, test_users=1000, validation_users=900)
    hidden = np.bincount(split.test.targets.items, minlength=6)[1:]
    assert hidden.sum() == 1000
    assert hidden.min() > 140  # 200 expected each, standard deviation 12.6
    assert hidden.max() < 260
    first = np.bincount([row[0] for row in rows(split.train)], minlength=6)[1:]
    assert first.max() < 50  # 20 expected each of the 100 that train
    times = [[0] * 5] * 2000  # times that are all equal tell no more
    split = split_unseen_users(
        table([[1, 2, 3, 4, 5]] * 2000, times), test_users=1000, validation_users=900
    )
    assert np.bincount(split.test.targets.items, minlength=6)[1:].min() > 140


def parts(split: Split) -> list[list]:
    return [
        rows(split.train),
        *(
            actual
            for part in (split.validation, split.test)
            for actual in (rows(part.histories), rows(part.targets), part.users.tolist())
        ),
    ]


def test_a_seed_gives_one_split_and_another_seed_another():
    data = table([list(range(1, 11))] * 40)
    first, again, other = (
        split_unseen_users(data, test_users=10, validation_users=10, seed=seed)
        for seed in (1, 1, 2)
    )
    assert parts(first) == parts(again)
    assert first.test.users.tolist() != other.test.users.tolist()
    assert rows(first.test.targets) != rows(other.test.targets)
    assert (first.seed, first.protocol, first.num_items) == (1, "unseen-users", ITEMS)


def test_popularity_counts_training_histories_only():
    data = table([[1, 2]] * 5 + [[2, 3]] * 5)
    split = split_unseen_users(data, test_users=3, validation_users=3, seed=0)
    counts = split.popularity()
    assert counts.shape == (ITEMS + 1,)
    assert counts[0] == 0
    assert counts[2] == len(split.train) == 4
    expected = [sum(item in row for row in rows(split.train)) for item in range(ITEMS + 1)]
    assert counts.tolist() == expected


@pytest.mark.parametrize(("test", "validation"), [(3, 0), (2, 1), (1, 5)])
def test_a_split_that_leaves_no_user_to_learn_from_is_refused(test, validation):
    with pytest.raises(UserError, match="none for training") as caught:
        split_unseen_users(table([[1, 2]] * 3), test_users=test, validation_users=validation)
    assert "lower" in caught.value.hint


def test_a_user_with_one_item_is_refused_by_the_callers_own_id():
    with pytest.raises(UserError, match="'reader 1' has fewer than two items"):
        split_unseen_users(table([[1, 2], [3], [1, 2]]), test_users=1, validation_users=1)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_that_shows_or_hides_all_is_refused(share):
    with pytest.raises(UserError, match="above 0 and below 1"):
        split_unseen_users(
            table([[1, 2]] * 3), test_users=1, validation_users=1, held_out_share=share
        )

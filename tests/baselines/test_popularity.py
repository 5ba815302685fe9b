"""The popularity baseline by hand and against full sorting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.baselines import popularity
from kd_tf.data.histories import from_lists
from kd_tf.data.split import Split
from kd_tf.evaluation.top_k import select_unseen_top_k

SplitOf = Callable[..., Split]

# Item 3 is read by three users, 1 and 4 by two, 2 by one, 5 by nobody.
TRAIN = [[3, 1, 4], [4, 3], [1, 3, 2]]


@pytest.fixture
def model(split_of: SplitOf) -> popularity.Popularity:
    return popularity.fit(split_of(TRAIN, 5))


def test_an_item_scores_the_number_of_its_users(model: popularity.Popularity) -> None:
    expected = [[-np.inf, 2, 1, 3, 2, 0]] * 2
    assert model.score(from_lists([[], [3, 5]])).tolist() == expected


def test_the_most_read_items_come_first_and_unread_ones_last(
    model: popularity.Popularity,
) -> None:
    histories = from_lists([[], [3, 4], [5, 1, 2, 3, 4]])
    ranked = select_unseen_top_k(model.score(histories), histories, 5)
    assert ranked.tolist() == [[3, 1, 4, 2, 5], [1, 2, 5, 0, 0], [0, 0, 0, 0, 0]]


def test_users_count_not_how_often_or_how_gladly_they_read(split_of: SplitOf) -> None:
    model = popularity.fit(split_of([[1, 1, 1, 2], [2]], 2, weights=[5, 1, 9, 0.5, 0.25]))
    assert model.score(from_lists([[]])).tolist() == [[-np.inf, 1, 2]]


def test_size_is_what_is_stored(model: popularity.Popularity) -> None:
    assert (model.name, model.num_parameters, model.num_bytes) == ("popularity", 5, 24)


@given(data=st.data())
def test_it_ranks_as_sorting_everything_does(split_of: SplitOf, data: st.DataObject) -> None:
    items = data.draw(st.integers(1, 12))
    some = st.lists(st.lists(st.integers(1, items), max_size=9), min_size=1, max_size=6)
    train, lists = data.draw(some), data.draw(some)
    k = data.draw(st.integers(1, 14))
    histories = from_lists(lists)
    ranked = select_unseen_top_k(
        popularity.fit(split_of(train, items)).score(histories), histories, k
    )
    users = {item: sum(item in row for row in train) for item in range(1, items + 1)}
    for row, history in zip(ranked, lists, strict=True):
        remaining = sorted(users.keys() - set(history), key=lambda b: (-users[b], b))[:k]
        assert row.tolist() == remaining + [0] * (k - len(remaining))

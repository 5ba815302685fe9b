"""What friends have, counted by hand, and only where friends are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

import kd_tf as kd
from kd_tf.baselines import friends, list_baselines
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import Split
from kd_tf.errors import UserError


def make_histories(lists: list[list[int]], users: list[int]) -> Histories:
    return dataclasses.replace(from_lists(lists), users=np.array(users, np.int32))


@pytest.fixture
def split(split_of: Callable[..., Split]) -> Split:
    """Users 0, 1, 2 are trained on; 3 and 4 are not. Item 4 has no user."""
    plain = split_of([[1, 2], [2, 3, 3], [3]], 4)
    pairs = np.array([[0, 3], [1, 3], [2, 4], [3, 4]], np.int32)
    return dataclasses.replace(plain, friendships=pairs)


def test_scores_by_hand(split: Split) -> None:
    model = friends.fit(split)
    scores = model.score(make_histories([[1], [], [2], [2]], [3, 4, 0, 99]))
    # Users of the items 1, 2, 3: 1, 2, 2, of which the greatest number counts 2 / 3.
    never = [-np.inf]
    expected = [
        [*never, 1 + 1 / 3, 2 + 2 / 3, 1 + 2 / 3, *never],  # friends 0 and 1; 4 is not trained on
        [*never, *never, *never, 1 + 2 / 3, *never],  # friends 2 and 3
        5 * never,  # a friend without a training history
        5 * never,  # unknown
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert (model.score(from_lists([[1, 2]])) == -np.inf).all()  # of nobody known
    assert model.score(from_lists([])).shape == (0, 5)
    assert model.num_parameters == 4 + 5


def test_a_split_without_friends_is_refused_and_lists_none(split: Split) -> None:
    bare = dataclasses.replace(split, friendships=None)
    assert "friends" in list_baselines(split)
    assert "friends" not in list_baselines(bare)
    with pytest.raises(UserError, match="no friends are known"):
        friends.fit(bare)


def test_true_friends_say_more_than_any_other_users() -> None:
    data = kd.data.bookshop(items=200, users=500, seed=1, friends=True)
    split = kd.split(data, "cold-users", seed=1)
    assert split.friendships is not None
    others = np.random.default_rng(1).permutation(data.interactions.num_users).astype(np.int32)
    strangers = dataclasses.replace(split, friendships=others[split.friendships])
    ndcg, by_chance = (
        kd.evaluate(friends.fit(fitted), split.test)["ndcg@10"] for fitted in (split, strangers)
    )
    assert ndcg > 1.5 * by_chance

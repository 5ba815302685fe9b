"""The random baseline: uniform, and the same on every run and in every batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from kd_tf.baselines import random_order
from kd_tf.baselines.random_order import RandomOrder
from kd_tf.data.histories import from_lists
from kd_tf.data.split import Split

SplitOf = Callable[..., Split]

ITEMS = 2000


@pytest.fixture
def drawn() -> np.ndarray:
    """Scores of 200 users who differ in one item alone."""
    scores = RandomOrder(ITEMS, seed=42).score(from_lists([[item] for item in range(1, 201)]))
    return scores[:, 1:].astype(np.float64)


def test_scores_are_uniform_between_0_and_1(drawn: np.ndarray) -> None:
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 0.01


def test_users_and_items_are_independent_of_each_other(drawn: np.ndarray) -> None:
    # 19,900 pairs of users, each correlated over 2,000 items: a deviation of 1 / sqrt(2,000).
    for one_each in (drawn, drawn.T):
        pairs = np.corrcoef(one_each[:200])[np.triu_indices(200, 1)]
        assert abs(pairs.mean()) < 0.002
        assert np.abs(pairs).max() < 6 / np.sqrt(one_each.shape[1])


def test_every_place_in_the_list_is_equally_likely(drawn: np.ndarray) -> None:
    first = np.bincount(drawn.argmax(axis=1) // 200, minlength=10)
    assert stats.chisquare(first).pvalue > 0.01


def test_the_order_of_reading_makes_no_difference_but_every_item_does() -> None:
    scores = RandomOrder(50, seed=1).score(from_lists([[3, 9, 4], [4, 3, 9], [4, 3], [4, 3, 8]]))
    np.testing.assert_array_equal(scores[0], scores[1])
    for other in (2, 3):
        assert (scores[0, 1:] != scores[other, 1:]).all()


def test_seeds_draw_different_orders_and_come_from_the_split(split_of: SplitOf) -> None:
    split = split_of([[1]], 50)
    history = from_lists([[3]])
    one, two = (
        random_order.fit(dataclasses.replace(split, seed=seed)).score(history) for seed in (1, 2)
    )
    assert (one[0, 1:] != two[0, 1:]).all()
    np.testing.assert_array_equal(one, RandomOrder(50, seed=1).score(history))


def test_the_order_is_the_same_on_every_machine() -> None:
    # By hand from the definition of SplitMix64, with Python's unbounded integers.
    def mixed(value: int) -> int:
        value = (value + 0x9E3779B97F4A7C15) % 2**64
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
        return value ^ value >> 31

    assert mixed(0) == 0xE220A8397B1DCDAF  # the first output of the generator seeded with 0
    history = mixed((42 + mixed(7) + mixed(2)) % 2**64)
    expected = [(mixed(history ^ mixed(item)) >> 40) / 2**24 for item in range(1, 10)]
    assert RandomOrder(9, seed=42).score(from_lists([[7, 2]]))[0, 1:].tolist() == expected


def test_it_learns_nothing() -> None:
    model = RandomOrder(9, seed=0)
    assert (model.name, model.num_parameters, model.num_bytes) == ("random", 0, 0)

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kd_tf.backend import tf
from kd_tf.distill.losses.relaxed_list_mle import compute_relaxed_list_mle

scores = hnp.arrays(np.float32, 6, elements=st.floats(-5, 5, width=32))


def loss(ordered, behind, ranks=None, mask=None, behind_mask=None) -> float:
    ordered, behind = np.float32([ordered]), np.float32([behind])
    ranks = np.arange(ordered.shape[1]) if ranks is None else np.array(ranks)
    mask = np.ones(ordered.shape[1], bool) if mask is None else np.array(mask)
    behind_mask = np.ones(behind.shape[1], bool) if behind_mask is None else behind_mask
    actual = compute_relaxed_list_mle(
        tf.constant(ordered),
        tf.constant(ranks[None], tf.int32),
        tf.constant(mask[None]),
        tf.constant(behind),
        tf.constant(np.array(behind_mask)[None]),
    )
    return float(actual[0])


def test_the_loss_by_hand():
    # Odds 4, 2 before 1, 1: 4 of 8, then 2 of 4.
    assert loss(np.log([4, 2]), [0, 0]) == pytest.approx(-np.log(4 / 8 * 2 / 4), rel=1e-6)
    # The wanted order is the other one: 2 of 8, then 4 of 6.
    assert loss(np.log([4, 2]), [0, 0], ranks=[9, 3]) == pytest.approx(-np.log(2 / 8 * 4 / 6))


@given(scores)
def test_it_is_the_probability_that_the_order_comes_out_whatever_follows(samples):
    # Plackett-Luce: all orders of 5 items that begin with the first 2 of them in this order.
    odds = np.exp(samples[:5].astype(np.float64))
    total = 0.0
    for tail in itertools.permutations(range(2, 5)):
        order = [0, 1, *tail]
        total += np.prod([odds[k] / odds[order[i:]].sum() for i, k in enumerate(order)])
    assert loss(samples[:2], samples[2:5]) == pytest.approx(-np.log(total), rel=1e-4, abs=1e-5)


@given(scores, st.permutations(range(6)))
def test_the_order_of_the_columns_does_not_matter(samples, order):
    order = np.array(order)
    assert loss(samples[order], [0.5], ranks=order) == pytest.approx(loss(samples, [0.5]), rel=1e-5)


def test_what_does_not_count_changes_nothing():
    wide = loss(
        [2, 50, 1],
        [0, 70],
        ranks=[1, 2, 3],
        mask=[True, False, True],
        behind_mask=[True, False],
    )
    assert wide == pytest.approx(loss([2, 1], [0]), rel=1e-6)
    assert loss([2, 1], [0], mask=[False, False]) == 0


def test_scores_that_lie_far_apart_give_no_infinity():
    assert loss([-400.0, 400.0, -900.0], [-1000.0]) == pytest.approx(800, rel=1e-5)

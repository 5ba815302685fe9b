import itertools

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.distill.losses.sampling import (
    REJECTION_SAMPLING_RATIO,
    sample_uniform_items,
    sample_without_replacement,
)


def many(log_weights, allowed, count, rows):
    rng.set_seed(0)
    places, samples = sample_without_replacement(
        tf.constant(np.tile(np.float32(log_weights), (rows, 1))),
        tf.constant(np.tile(np.array(allowed, bool), (rows, 1))),
        count,
    )
    return places.numpy(), samples.numpy()


def test_items_come_as_often_as_drawing_one_after_the_other_without_putting_back():
    weights = np.array([4.0, 2.0, 1.0, 1.0])
    places, samples = many(np.log(weights), [True] * 4, 2, 40_000)
    assert samples.all()
    for first, second in itertools.permutations(range(4), 2):
        expected = weights[first] / 8 * weights[second] / (8 - weights[first])
        actual = ((places[:, 0] == first) & (places[:, 1] == second)).mean()
        assert actual == pytest.approx(expected, abs=0.01)


def test_no_item_comes_twice_and_none_that_is_not_allowed():
    places, samples = many(np.zeros(6), [True, False, True, True, False, True], 3, 500)
    assert samples.all()
    assert set(places.ravel()) == {0, 2, 3, 5}
    assert all(len(set(row)) == 3 for row in places)


def test_too_few_items_are_all_drawn_and_the_rest_marked():
    places, samples = many([0, 5, -300], [False, True, True], 9, 50)
    assert places.shape == (50, 3)
    assert (samples.sum(axis=1) == 2).all()
    assert all(set(row[mask]) == {1, 2} for row, mask in zip(places, samples, strict=True))


def test_weights_may_be_as_small_as_they_like():
    _, samples = many([-1e6, -2e6], [True, True], 2, 10)
    assert samples.all()


@pytest.mark.parametrize(("items", "count"), [(7, 3), (REJECTION_SAMPLING_RATIO * 9, 9)])
def test_evenly_drawn_items_are_allowed_and_different_and_all_come_as_often(items, count):
    rng.set_seed(0)
    ids, samples = sample_uniform_items(items, tf.constant(20_000), count, lambda ids: ids % 4 != 0)
    ids, samples = ids.numpy(), samples.numpy()
    assert (samples.sum(axis=1) == count).all()
    actual = ids[samples].reshape(-1, count)
    assert (np.diff(np.sort(actual, axis=1), axis=1) > 0).all()
    allowed = [item for item in range(1, items + 1) if item % 4]
    share = np.bincount(actual.ravel(), minlength=items + 1) / len(actual)
    np.testing.assert_allclose(share[allowed], count / len(allowed), atol=0.02)
    assert share.sum() == pytest.approx(share[allowed].sum())


def test_rows_with_too_few_even_items_get_those_there_are():
    ids, samples = sample_uniform_items(9, tf.constant(50), 5, lambda ids: ids <= 2)
    assert all(
        set(row[mask]) == {1, 2} for row, mask in zip(ids.numpy(), samples.numpy(), strict=True)
    )

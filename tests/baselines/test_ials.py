"""Implicit ALS: the fold-in of users against the library and against the loss itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from kd_tf.baselines import ials
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import Split
from kd_tf.evaluation.validation import ValidationMetric

SplitOf = Callable[..., Split]

ITEMS, DIMENSIONS = 40, 6


@pytest.fixture
def model() -> ials.ImplicitALS:
    factors = np.random.default_rng(3).normal(size=(ITEMS + 1, DIMENSIONS)).astype(np.float32)
    factors[0] = 0
    return ials.ImplicitALS(factors, regularization=2.5, alpha=4.0)


@pytest.fixture
def histories() -> Histories:
    random = np.random.default_rng(4)
    lists = from_lists([random.permutation(ITEMS)[:length] + 1 for length in (5, 1, 0, 40, 12)])
    # Weights below 1 / alpha make a read item count less than an unread one.
    weights = random.uniform(0.1, 3, len(lists.items)).astype(np.float32)
    return Histories(lists.items, lists.offsets, weights)


def test_new_users_are_folded_in_as_the_library_does(
    model: ials.ImplicitALS, histories: Histories
) -> None:
    library = AlternatingLeastSquares(
        factors=DIMENSIONS, regularization=2.5, alpha=4.0, num_threads=1
    )
    library.item_factors = model.item_factors
    expected = library.recalculate_user(
        np.arange(len(histories)), sparse.csr_matrix(histories.to_csr_matrix(ITEMS))
    )
    np.testing.assert_allclose(model.fold_in_users(histories), expected, rtol=1e-3, atol=1e-5)


def test_factors_of_a_user_are_where_the_weighted_loss_is_least(
    model: ials.ImplicitALS, histories: Histories
) -> None:
    # loss(u) = sum over all items of c (p - u y)^2 + reg |u|^2; c = alpha weight and p = 1 where
    # read, c = 1 and p = 0 elsewhere. Its gradient is 0 at the minimum.
    read = histories.to_csr_matrix(ITEMS).toarray().astype(np.float64)
    y = model.item_factors.astype(np.float64)
    confidence = np.where(read > 0, 4.0 * read, 1.0)
    u = model.fold_in_users(histories).astype(np.float64)
    gradient = -(confidence * ((read > 0) - u @ y.T)) @ y + 2.5 * u
    np.testing.assert_allclose(gradient, 0, atol=1e-4)


def test_by_hand_in_one_dimension() -> None:
    # Y^T Y = 1 + 4 = 5; user of item 1 with weight 3: c = 2 * 3 = 6.
    # u = 6 * 1 / (5 + 0.5 + (6 - 1) * 1) = 6 / 10.5
    model = ials.ImplicitALS(np.float32([[0], [1], [2]]), regularization=0.5, alpha=2.0)
    history = from_lists([[1]])
    scores = model.score(Histories(history.items, history.offsets, np.float32([3])))
    np.testing.assert_allclose(scores, [[-np.inf, 6 / 10.5, 12 / 10.5]], rtol=1e-6)


def test_items_without_users_have_zero_factors(shelves: Split) -> None:
    model = ials.fit(shelves, setting=(20.0, 20.0))
    assert np.flatnonzero(~model.item_factors.any(axis=1)).tolist() == [0, 81, 82, 83]


def test_training_users_are_folded_in_where_training_left_them(shelves: Split) -> None:
    # After many alternations users and items fit each other: one more half step back to the
    # items changes nothing.
    model = ials.fit(shelves, setting=(20.0, 20.0), iterations=200)
    read = shelves.train.to_csr_matrix(shelves.num_items).toarray().astype(np.float64)
    u = model.fold_in_users(shelves.train).astype(np.float64)
    confidence = np.where(read > 0, 20.0 * read, 1.0)
    y = model.item_factors.astype(np.float64)
    gradient = -(confidence * ((read > 0) - u @ y.T)).T @ u + model.regularization * y
    scale = np.abs((confidence * (read > 0)).T @ u).max()
    assert np.abs(gradient).max() < 1e-3 * scale


def test_a_catalog_of_few_items_gets_few_factors(split_of: SplitOf, shelves: Split) -> None:
    assert ials.fit(shelves, setting=(20.0, 20.0)).item_factors.shape == (84, 10)
    assert ials.fit(shelves, setting=(20.0, 20.0), num_factors=4).item_factors.shape == (84, 4)
    tiny = ials.fit(split_of([[1, 2], [2]], 3), setting=(20.0, 20.0))
    assert tiny.item_factors.shape == (4, 1)
    assert (tiny.num_parameters, tiny.num_bytes) == (4, 16)


def test_users_who_validate_choose_the_setting(shelves: Split) -> None:
    choose = ValidationMetric(shelves.validation, shelves.num_items)
    actual = {
        setting: choose(ials.fit(shelves, setting=setting, iterations=8).score)
        for setting in ials.SETTINGS
    }
    model = ials.fit(shelves)
    assert (model.alpha, model.regularization) == max(actual, key=lambda one: actual[one])


def test_every_setting_can_be_chosen(shelves: Split) -> None:
    for best in ials.SETTINGS:

        class Choose(ValidationMetric):
            # `scores` is a bound method: what validates it sees the settings of its model.
            def __call__(self, score, best=best) -> float:  # type: ignore[no-untyped-def]
                model = score.__self__
                return -float((model.alpha, model.regularization) != best)

        choose = Choose(shelves.validation, shelves.num_items)
        model = ials.fit(shelves, iterations=1, validation_metric=choose)
        assert (model.alpha, model.regularization) == best


def test_without_validation_the_setting_is_the_default(split_of: SplitOf) -> None:
    model = ials.fit(split_of([[1, 2], [2, 3]], 3))
    assert (model.alpha, model.regularization) == ials.DEFAULT_SETTING


def test_weights_of_training_count(split_of: SplitOf) -> None:
    train = [[1, 2], [1, 3]] * 20
    model = ials.fit(split_of(train, 3, weights=[1, 1, 3, 3] * 20), setting=(5.0, 5.0))
    scores = model.score(from_lists([[1]]))[0]
    assert scores[3] > scores[2] > -np.inf


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_alpha_must_be_above_0(split_of: SplitOf, alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha and regularization must be above 0, not"):
        ials.fit(split_of([[1]], 1), setting=(alpha, 1.0))

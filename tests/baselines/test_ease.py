"""EASE against a dense solve and against the problem that it solves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kd_tf.baselines import ease
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.errors import UserError
from kd_tf.evaluation.evaluate import ScoreFn
from kd_tf.evaluation.validation import ValidationMetric

SplitOf = Callable[..., Split]


def read(split: Split) -> np.ndarray:
    return split.train.to_csr_matrix(split.num_items).toarray()[:, 1:].astype(np.float64)


def dense(split: Split, penalty: float) -> np.ndarray:
    inverse = np.linalg.inv(read(split).T @ read(split) + penalty * np.eye(split.num_items))
    weights = np.eye(split.num_items) - inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_by_hand(split_of: SplitOf) -> None:
    # X^T X = [[2, 1], [1, 1]]: the weight of item 1 for item 2 minimises
    # (1 - w)^2 + (0 - w)^2 + 3 w^2, that for item 1 minimises (1 - w)^2 + 1 + 3 w^2.
    model = ease.fit(split_of([[1, 2], [1]], 2), regularization=3.0)
    np.testing.assert_allclose(model.weights, [[0, 1 / 5], [1 / 4, 0]], rtol=1e-6)
    scores = model.score(from_lists([[1], [1, 2]]))
    np.testing.assert_allclose(scores, [[-np.inf, 0, 0.2], [-np.inf, 0.25, 0.2]], rtol=1e-6)


@pytest.mark.parametrize("penalty", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("rows_at_once", [7, 83, 512])
def test_weights_agree_with_a_dense_solve(
    shelves: Split, monkeypatch: pytest.MonkeyPatch, penalty: float, rows_at_once: int
) -> None:
    monkeypatch.setattr(ease, "_BLOCK_SIZE", rows_at_once)
    model = ease.fit(shelves, regularization=penalty)
    assert model.weights.dtype == np.float32
    np.testing.assert_allclose(model.weights, dense(shelves, penalty), atol=2e-6)


def test_weights_solve_the_ridge_problem_with_a_zero_diagonal(shelves: Split) -> None:
    # The gradient of |X - X B|^2 + penalty |B|^2 is 0 but on the diagonal, where B itself is 0.
    X = read(shelves)
    weights = ease.fit(shelves, regularization=30.0).weights
    gradient = -X.T @ (X - X @ weights) + 30.0 * weights
    assert not weights.diagonal().any()
    assert np.abs(gradient.diagonal()).max() > 10
    np.fill_diagonal(gradient, 0)
    np.testing.assert_allclose(gradient, 0, atol=1e-3)


def test_scores_are_the_history_times_the_weights(shelves: Split) -> None:
    model = ease.fit(shelves, regularization=30.0)
    histories = shelves.validation.histories
    weights = np.linspace(0.5, 3, len(histories.items)).astype(np.float32)
    for some in (histories, Histories(histories.items, histories.offsets, weights)):
        expected = some.to_csr_matrix(83).toarray()[:, 1:] @ dense(shelves, 30.0)
        actual = model.score(some)[:, 1:]
        np.testing.assert_allclose(actual[:, :80], expected[:, :80], atol=1e-5)
        assert (actual[:, 80:] == -np.inf).all()


def test_an_item_without_common_users_is_unrelated(split_of: SplitOf) -> None:
    # Item 3 is read alone and 4 by nobody.
    model = ease.fit(split_of([[1, 2], [1, 2], [3]], 4), regularization=1.0)
    actual = model.score(from_lists([[1], [3], [4], [], [3, 1]])) > -np.inf
    assert actual[:, 1:].tolist() == [
        [True, True, False, False],
        [False] * 4,
        [False] * 4,
        [False] * 4,
        [True, True, False, False],
    ]


def test_weights_stand_in_the_order_in_which_they_are_multiplied(shelves: Split) -> None:
    # SciPy copies the whole matrix for every batch otherwise: seven times slower at 6,000 items.
    assert ease.fit(shelves, regularization=30.0).weights.flags.c_contiguous


def test_size_is_what_is_stored(split_of: SplitOf) -> None:
    model = ease.fit(split_of([[1, 2]], 5), regularization=1.0)
    assert (model.name, model.num_parameters, model.num_bytes) == ("ease", 25, 105)


def test_users_who_validate_choose_the_penalty(shelves: Split) -> None:
    actual = {
        penalty: ValidationMetric(shelves.validation, shelves.num_items)(
            ease.fit(shelves, regularization=penalty).score
        )
        for penalty in ease.REGULARIZATIONS
    }
    assert ease.fit(shelves).regularization == max(actual, key=lambda penalty: actual[penalty])


def test_the_penalty_is_chosen_among_the_most_read_items(
    split_of: SplitOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ease, "_TUNING_ITEMS", 3)
    seen: list[HeldOutSet] = []

    def judged(held_out: HeldOutSet, items: int) -> Callable[[ScoreFn], float]:
        assert items == 3
        seen.append(held_out)
        return one

    def one(score: ScoreFn) -> float:
        model = score.__self__  # type: ignore[attr-defined]
        assert model.weights.shape == (3, 3)
        np.testing.assert_allclose(model.weights, dense(three, model.regularization), atol=1e-6)
        return -abs(model.regularization - 300)

    monkeypatch.setattr(ease, "ValidationMetric", judged)
    # Items 2, 4 and 5 are read most: they become 1, 2 and 3.
    train = [[2, 4, 1], [5, 2], [4, 5, 2], [3, 4], [5, 4]]
    three = split_of([[1, 2], [3, 1], [2, 3, 1], [2], [3, 2]], 3)
    validation = ([[1, 2, 5], [4], [3], [2]], [[4, 3], [1], [4], [5]])
    model = ease.fit(split_of(train, 5, validation=validation))
    assert model.regularization == 300
    assert model.weights.shape == (5, 5)
    assert len(seen) == len(ease.REGULARIZATIONS)
    for held_out in seen:  # one user is left without a target, another without a history
        shown = [row.tolist() for row in map(held_out.histories.__getitem__, range(2))]
        assert shown == [[1, 3], [1]]
        assert held_out.targets.items.tolist() == [2, 3]
        assert held_out.users.tolist() == [0, 3]


@pytest.mark.parametrize("validation", [((), ()), ([[]], [[1]])], ids=["nobody", "no history"])
def test_without_validation_users_the_penalty_is_the_default(
    split_of: SplitOf, validation: tuple[list, list]
) -> None:
    model = ease.fit(split_of([[1, 2], [2, 3]], 3, validation=validation))
    assert model.regularization == ease.DEFAULT_REGULARIZATION


def test_a_catalog_that_does_not_fit_is_refused_before_anything_is_made(
    split_of: SplitOf,
) -> None:
    with pytest.raises(
        UserError, match=r"100,000 items need a dense matrix of 37\.3 GiB"
    ) as caught:
        ease.fit(split_of([[1]], 100_000))
    assert "min_item_interactions" in str(caught.value)
    split = split_of([[1, 2]], 5)
    assert ease.fit(split, regularization=1.0, max_bytes=100).weights.nbytes == 100
    with pytest.raises(UserError):
        ease.fit(split, regularization=1.0, max_bytes=99)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_the_penalty_must_be_above_0(split_of: SplitOf, penalty: float) -> None:
    with pytest.raises(ValueError, match="regularization must be above 0, not"):
        ease.fit(split_of([[1]], 1), regularization=penalty)

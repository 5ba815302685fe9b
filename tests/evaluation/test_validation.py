"""The metric on the validation users that selects hyperparameters."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet
from kd_tf.evaluation import validation as chooser
from kd_tf.evaluation.candidates import SampledCandidates
from kd_tf.evaluation.validation import ValidationMetric


def held_out(histories: list, targets: list) -> HeldOutSet:
    return HeldOutSet(
        from_lists(histories), from_lists(targets), np.arange(len(targets), dtype=np.int32)
    )


def downwards(histories: Histories) -> np.ndarray:
    """Ranks items 1, 2, 3, ..., 20."""
    return np.tile(-np.arange(21, dtype=np.float32), (len(histories), 1))


def test_it_is_the_mean_ndcg_of_users_with_a_history() -> None:
    # Without item 1 of the history, item 3 is second: 1 / log2(3). Item 12 is below the tenth.
    validation = held_out([[1], [5], []], [[3], [12], [1]])
    assert ValidationMetric(validation, 20)(downwards) == pytest.approx((1 / np.log2(3) + 0) / 2)


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    rows = [random.permutation(20)[:6] + 1 for _ in range(7)]
    validation = held_out([row[:3] for row in rows], [row[3:] for row in rows])
    whole = ValidationMetric(validation, 20)(downwards)
    monkeypatch.setattr(chooser, "MAX_SCORES_IN_MEMORY", 3 * 21)
    assert ValidationMetric(validation, 20)(downwards) == pytest.approx(whole)


def test_no_more_users_are_scored_than_needed() -> None:
    validation = held_out([[], [2], [1]], [[1], [1], [20]])
    choose = ValidationMetric(validation, 20, max_users=1)
    assert len(choose) == 1
    assert choose(downwards) == pytest.approx(1)


def test_the_scored_users_are_not_the_first_ones() -> None:
    # The first half of the users are served perfectly, the others not at all.
    validation = held_out([[20]] * 400, [[1]] * 200 + [[19]] * 200)
    actual = ValidationMetric(validation, 20, max_users=100)(downwards)
    assert 0.3 < actual < 0.7
    assert actual == ValidationMetric(validation, 20, max_users=100)(downwards)


def test_sampled_candidates_are_those_of_the_evaluation() -> None:
    # Item 12 is twelfth of all, but second where only item 1 or 2 stands before it.
    validation = held_out([[20]], [[12]])
    samples = SampledCandidates(2, seed=3)
    better = int((samples.draw(validation, 20)[0] < 12).sum())
    assert better < 3
    actual = ValidationMetric(validation, 20, samples)(downwards)
    assert actual == pytest.approx(1 / np.log2(2 + better))
    assert ValidationMetric(validation, 20)(downwards) == 0


def test_without_users_it_is_0() -> None:
    assert ValidationMetric(held_out([[]], [[1]]), 20)(downwards) == 0

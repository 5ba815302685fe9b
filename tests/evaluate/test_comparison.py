"""Paired comparison by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from kd_tf.evaluate.comparison import paired_comparison


def test_difference_and_standard_error_match_the_hand_computed_case() -> None:
    # Differences 1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 3.
    found = paired_comparison(np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 5, 9]))
    assert found.difference == 3
    assert found.standard_error == pytest.approx(math.sqrt(14 / 3) / 2)
    assert found.readers == 4
    assert found.ratio == pytest.approx(3 / (math.sqrt(14 / 3) / 2))


def test_the_ratio_is_the_statistic_of_the_paired_t_test() -> None:
    random = np.random.default_rng(4)
    a, b = random.random(50), random.random(50)
    assert paired_comparison(a, b).ratio == pytest.approx(stats.ttest_rel(b, a).statistic)


def test_swapping_the_models_turns_the_sign() -> None:
    a, b = np.array([0.0, 1, 0, 1]), np.array([1.0, 1, 0, 1])
    forth, back = paired_comparison(a, b), paired_comparison(b, a)
    assert forth.difference > 0
    assert (back.difference, back.ratio) == (-forth.difference, -forth.ratio)


def test_a_difference_without_spread_has_a_defined_ratio() -> None:
    a = np.zeros(3)
    assert paired_comparison(a, a).ratio == 0
    assert paired_comparison(a, a + 1).ratio == math.inf
    assert paired_comparison(a, a - 1).ratio == -math.inf


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros(3), np.zeros(4)),
        (np.zeros(1), np.zeros(1)),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.zeros(2), np.array([0, np.nan])),
    ],
)
def test_figures_that_cannot_be_paired_are_refused(a: np.ndarray, b: np.ndarray) -> None:
    with pytest.raises(ValueError, match="figure"):
        paired_comparison(a, b)

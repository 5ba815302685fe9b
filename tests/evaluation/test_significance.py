"""Paired comparison by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kd_tf.evaluation.significance import adjust_p_values, compare_paired


def test_difference_and_standard_error_match_the_hand_computed_case() -> None:
    # Differences 1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 3.
    actual = compare_paired(np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 5, 9]))
    assert actual.difference == 3
    assert actual.standard_error == pytest.approx(math.sqrt(14 / 3) / 2)
    assert actual.num_users == 4
    assert actual.t_statistic == pytest.approx(3 / (math.sqrt(14 / 3) / 2))


def test_the_ratio_is_the_statistic_of_the_paired_t_test() -> None:
    random = np.random.default_rng(4)
    a, b = random.random(50), random.random(50)
    actual = compare_paired(a, b)
    assert actual.t_statistic == pytest.approx(stats.ttest_rel(b, a).statistic)
    assert actual.p_value == pytest.approx(stats.ttest_rel(b, a).pvalue)


def test_swapping_the_models_turns_the_sign() -> None:
    a, b = np.array([0.0, 1, 0, 1]), np.array([1.0, 1, 0, 1])
    forth, back = compare_paired(a, b), compare_paired(b, a)
    assert forth.difference > 0
    assert (back.difference, back.t_statistic) == (-forth.difference, -forth.t_statistic)


def test_a_difference_without_spread_has_a_defined_ratio() -> None:
    a = np.zeros(3)
    assert compare_paired(a, a).t_statistic == 0
    assert compare_paired(a, a + 1).t_statistic == math.inf
    assert compare_paired(a, a - 1).t_statistic == -math.inf
    assert compare_paired(a, a).p_value == 1


def test_users_who_all_agree_are_as_rare_as_coins_that_do() -> None:
    # Two users who gain alike are no proof: two coins fall alike every second time.
    for num_users, expected in ((2, 1 / 2), (3, 1 / 4), (6, 1 / 32)):
        a = np.zeros(num_users)
        assert compare_paired(a, a + 0.1).p_value == compare_paired(a, a - 0.1).p_value == expected


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
    with pytest.raises(ValueError, match="value"):
        compare_paired(a, b)


def test_holm_matches_the_hand_computed_case() -> None:
    # 3 x .01, 2 x .02 and 1 x .03, of which the last may not fall below the one before.
    assert adjust_p_values([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
    assert adjust_p_values([0.5, 0.9]) == [1, 1]
    assert adjust_p_values([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_lies_between_none_and_bonferroni(p_values) -> None:
    adjusted = adjust_p_values(p_values)
    for (p, q), (other_p, other_q) in itertools.combinations(
        zip(p_values, adjusted, strict=True), 2
    ):
        if p < other_p:
            assert q <= other_q
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1, p * len(p_values)) + 1e-12

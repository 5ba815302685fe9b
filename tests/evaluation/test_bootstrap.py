"""Bootstrap intervals contain the mean as often as their level."""

import numpy as np
import pytest

from kd_tf.evaluation import bootstrap
from kd_tf.evaluation.bootstrap import bootstrap_intervals


def test_the_interval_holds_the_true_mean_in_about_95_of_100_samples() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for seed in range(300):
        low, high = bootstrap_intervals(
            {"m": random.exponential(2.0, 200)}, num_samples=300, seed=seed
        )["m"]
        inside += low <= 2.0 <= high
    # Percentile intervals of a skewed figure are a little short; 6 % is three standard errors.
    assert 0.89 <= inside / 300 <= 0.98


def test_the_width_is_that_of_the_normal_interval_for_many_users() -> None:
    values = np.random.default_rng(1).normal(5, 3, 4000)
    low, high = bootstrap_intervals({"m": values}, num_samples=4000)["m"]
    error = values.std() / np.sqrt(4000)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_equal_figures_have_no_width() -> None:
    assert bootstrap_intervals({"m": np.full(7, 0.25)}) == {"m": (0.25, 0.25)}


def test_all_metrics_see_the_same_users() -> None:
    values = np.random.default_rng(2).random(50)
    actual = bootstrap_intervals({"a": values, "b": 2 * values, "c": 1 - values})
    assert actual["b"] == pytest.approx(tuple(2 * end for end in actual["a"]))
    assert actual["c"] == pytest.approx(tuple(1 - end for end in actual["a"][::-1]))


def test_the_result_depends_on_the_seed_and_not_on_the_block_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"m": np.random.default_rng(3).random(40)}
    actual = bootstrap_intervals(values)
    assert bootstrap_intervals(values) == actual
    assert bootstrap_intervals(values, seed=7) != actual
    monkeypatch.setattr(bootstrap, "_MAX_COUNTS_IN_MEMORY", 400)
    assert bootstrap_intervals(values)["m"] == pytest.approx(actual["m"], abs=1e-12)


def test_a_wider_level_has_a_wider_interval() -> None:
    values = {"m": np.random.default_rng(4).random(40)}
    narrow, wide = (
        bootstrap_intervals(values, level=0.5)["m"],
        bootstrap_intervals(values, level=0.99)["m"],
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("figures", "level", "message"),
    [
        ({"m": np.ones(3)}, 1.0, "level"),
        ({"m": np.ones(3)}, 0.0, "level"),
        ({"m": np.ones(0)}, 0.9, "at least 1"),
        ({"a": np.ones(3), "b": np.ones(4)}, 0.9, "same number"),
    ],
)
def test_figures_that_do_not_fit_are_refused(figures, level, message) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(figures, level=level)

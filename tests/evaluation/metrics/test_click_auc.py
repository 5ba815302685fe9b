"""The AUC of clicks, over all rows and within users, against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from kd_tf.evaluation.metrics.click_auc import (
    compute_auc_per_user,
    compute_click_auc,
    compute_placements,
)

PREDICTIONS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 1.0]).map(np.float32)


@st.composite
def rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions with many ties, and users; perhaps one class only."""
    size = draw(st.integers(1, 40))
    labels = draw(arrays(np.float32, size, elements=st.sampled_from([0.0, 1.0])))
    predictions = draw(arrays(np.float32, size, elements=PREDICTIONS))
    users = draw(arrays(np.int32, size, elements=st.sampled_from([-1, 3, 4, 100])))
    return labels, predictions, users


@given(rows())
def test_the_auc_is_that_of_scikit_learn_and_nan_for_one_class(case) -> None:
    labels, predictions, _ = case
    actual = compute_click_auc(labels, predictions)
    if labels.min() == labels.max():
        assert math.isnan(actual)
    else:
        assert actual == pytest.approx(roc_auc_score(labels, predictions), abs=1e-12)


@given(rows())
def test_the_auc_of_each_user_is_that_of_its_rows_alone(case) -> None:
    labels, predictions, users = case
    result = compute_auc_per_user(labels, predictions, users)
    both = [user for user in np.unique(users) if len(np.unique(labels[users == user])) == 2]
    assert result.users.tolist() == both
    assert result.num_rows.tolist() == [np.count_nonzero(users == user) for user in both]
    expected = [roc_auc_score(labels[users == user], predictions[users == user]) for user in both]
    assert result.auc.tolist() == pytest.approx(expected, abs=1e-12)
    if both:
        assert result.mean == pytest.approx(np.average(expected, weights=result.num_rows))
    else:
        assert math.isnan(result.mean)


@given(rows())
def test_placements_of_both_classes_have_the_auc_as_their_mean(case) -> None:
    labels, predictions, _ = case
    if labels.min() == labels.max():
        return
    placements = compute_placements(labels, predictions)
    for row in range(len(labels)):
        others = predictions[labels != labels[row]].astype(np.float64)
        sign = 1 if labels[row] else -1
        pairs = (np.sign(sign * (predictions[row] - others)) + 1) / 2
        assert placements[row] == pytest.approx(pairs.mean(), abs=1e-12)


def test_no_rows_have_no_auc() -> None:
    nothing = np.empty(0, np.float32)
    assert math.isnan(compute_click_auc(nothing, nothing))
    assert math.isnan(compute_auc_per_user(nothing, nothing, nothing.astype(np.int32)).mean)


def test_pairs_of_many_rows_are_counted_exactly() -> None:
    # 10^12 pairs, of which float32 sums would lose digits.
    labels = np.tile(np.array([0, 1], np.float32), 1_000_000)
    predictions = np.repeat(np.array([0.25, 0.75], np.float32), 1_000_000)
    predictions[1] = 0.75  # one more positive row above all negatives of the first half
    n = 1_000_000
    expected = (n / 2 * n / 2 + n / 2 * n / 2 / 2 * 2) / n**2 + (n / 2 / 2 + n / 2 / 2) / n**2
    assert compute_click_auc(labels, predictions) == expected

"""Reliability bins against scikit-learn, and the calibration error by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve

from kd_tf.evaluation.metrics.calibration import compute_reliability

EDGES = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0])


@given(
    st.integers(1, 40).flatmap(
        lambda size: st.tuples(
            arrays(np.float64, size, elements=st.sampled_from([0.0, 1.0])),
            arrays(np.float64, size, elements=st.one_of(EDGES, st.floats(0, 1))),
        )
    )
)
def test_the_bins_are_those_of_scikit_learn(rows) -> None:
    labels, predictions = rows
    actual = compute_reliability(labels, predictions)
    mask = actual.num_rows > 0
    assert actual.num_rows.sum() == len(labels)
    shares, means = (
        calibration_curve(labels, predictions, n_bins=10)
        if len(np.unique(labels)) == 2
        else (actual.positive_share[mask], actual.mean_prediction[mask])
    )
    np.testing.assert_allclose(actual.positive_share[mask], shares)
    np.testing.assert_allclose(actual.mean_prediction[mask], means)
    assert np.isnan(actual.mean_prediction[~mask]).all()
    assert 0 <= actual.calibration_error <= 1


def test_the_error_matches_the_hand_computed_case() -> None:
    # Three rows at .9 of which one is positive, one row at .2 that is negative.
    actual = compute_reliability(np.array([1, 0, 0, 0]), np.array([0.9, 0.9, 0.9, 0.2]))
    assert actual.calibration_error == pytest.approx(3 / 4 * (0.9 - 1 / 3) + 1 / 4 * 0.2)


def test_probabilities_that_come_true_have_next_to_no_error() -> None:
    random = np.random.default_rng(0)
    predictions = random.random(200_000)
    labels = random.random(200_000) < predictions
    assert compute_reliability(labels, predictions).calibration_error < 0.005
    assert compute_reliability(labels, predictions**2).calibration_error > 0.1

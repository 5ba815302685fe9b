"""The log loss against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import log_loss

from kd_tf.evaluation.metrics.log_loss import MIN_PROBABILITY, compute_log_losses


@given(
    st.integers(1, 30).flatmap(
        lambda size: st.tuples(
            arrays(np.float32, size, elements=st.sampled_from([0.0, 1.0])),
            arrays(np.float64, size, elements=st.floats(1e-6, 1 - 1e-6)),
        )
    )
)
def test_the_mean_is_that_of_scikit_learn(rows) -> None:
    labels, predictions = rows
    expected = log_loss(labels, predictions, labels=[0, 1])
    assert compute_log_losses(labels, predictions).mean() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_certain_error_costs_a_finite_amount(dtype) -> None:
    losses = compute_log_losses(np.array([1, 0, 1, 0]), np.array([0, 1, 1, 0], dtype))
    worst = -np.log(MIN_PROBABILITY)
    np.testing.assert_allclose(losses, [worst, worst, 0, 0], atol=2e-7)

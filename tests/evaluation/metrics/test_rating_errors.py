"""RMSE and MAE against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from kd_tf.evaluation.metrics.rating_errors import compute_mae, compute_rmse


@given(
    st.integers(1, 30).flatmap(
        lambda size: st.tuples(
            *[arrays(np.float32, size, elements=st.floats(-100, 100, width=32))] * 2
        )
    )
)
def test_they_are_those_of_scikit_learn(rows) -> None:
    ratings, predictions = (values.astype(np.float64) for values in rows)
    assert compute_rmse(*rows) == pytest.approx(root_mean_squared_error(ratings, predictions))
    assert compute_mae(*rows) == pytest.approx(mean_absolute_error(ratings, predictions))


def test_millions_of_float32_lose_no_digits() -> None:
    ratings = np.zeros(2_000_000, np.float32)
    assert compute_rmse(ratings, ratings + np.float32(0.1)) == pytest.approx(0.1, abs=1e-7)

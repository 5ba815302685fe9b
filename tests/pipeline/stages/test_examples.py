import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.histories import from_lists
from kd_tf.pipeline.stages.examples import draw_calibration_histories, draw_rounding_histories

V = 40


@settings(max_examples=10)
@given(st.integers(1, 30), st.integers(0, 100))
def test_calibration_has_every_length_and_whole_users_where_users_have_few_items(L, seed):
    random = np.random.default_rng(seed)
    train = from_lists([1 + random.permutation(V)[: random.integers(2, 5)] for _ in range(30)])
    rows = draw_calibration_histories(train, L, num_items=V, seed=seed)
    assert rows.dtype == np.int32
    assert set((rows > 0).sum(axis=1).tolist()) == set(range(L + 1))
    calibrated = set(map(bytes, rows))
    assert set(map(bytes, train.pad(L))) <= calibrated
    # Rounding looks at what users have, and at nothing that was made of it.
    rounding = draw_rounding_histories(train, L, seed=seed)
    assert set(map(bytes, rounding)) <= calibrated
    assert (rounding > 0).sum(axis=1).max() <= train.lengths.max()

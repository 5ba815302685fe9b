import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kd_tf.backend import tf
from kd_tf.layers.pooling import make_item_mask, pool_weighted_rows

row_weights = hnp.arrays(np.float32, (3, 5), elements=st.floats(0, 4, width=32))
embeddings = hnp.arrays(np.float32, (3, 5, 2), elements=st.floats(-9, 9, width=32))


@given(embeddings, row_weights)
def test_pooling_is_the_weighted_sum_over_the_root_of_the_weight(rows, weights):
    pooled = pool_weighted_rows(tf.constant(rows), tf.constant(weights)).numpy()
    for user in range(3):
        total = max(weights[user].sum(), 1.0)
        expected = (rows[user] * weights[user][:, None]).sum(axis=0) / np.sqrt(total)
        np.testing.assert_allclose(pooled[user], expected, rtol=1e-3, atol=1e-3)


def test_pooling_nothing_is_zero():
    pooled = pool_weighted_rows(tf.ones([1, 5, 2]) * 7, tf.zeros([1, 5]))
    assert pooled.numpy().tolist() == [[0, 0]]


def test_the_mask_marks_every_item_whatever_its_weight():
    mask = make_item_mask(tf.constant([[0.0, 1e-6, 3.0]]))
    assert mask.numpy().tolist() == [[[0], [1], [1]]]

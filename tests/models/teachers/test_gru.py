import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.models.teachers.gru import GRUTeacher, _mask_newest

V, L = 30, 6


@pytest.fixture(scope="module")
def teacher() -> GRUTeacher:
    model = GRUTeacher(num_items=V, max_length=L, embedding_dim=4, units=5, hidden=7)
    model.create_weights()
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    model.recency.assign(tf.ones(L))  # what order changes, it changes through the state
    return model


def scores(model: GRUTeacher, *rows: list[int]) -> np.ndarray:
    return model(tf.constant(rows, tf.int32)).numpy()


def test_the_order_of_the_items_matters(teacher):
    one, other = scores(teacher, [1, 2, 3, 4, 0, 0], [1, 3, 2, 4, 0, 0])
    assert np.abs(one - other).max() > 1e-3


def test_a_gap_in_the_history_is_passed_over(teacher):
    together, apart = scores(teacher, [1, 2, 3, 4, 0, 0], [1, 0, 2, V + 1, 3, 4])
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_nothing_of_one_history_is_left_in_the_state_for_the_next(teacher):
    alone = scores(teacher, [5, 6, 0, 0, 0, 0])
    for _ in range(3):
        scores(teacher, [1, 2, 3, 4, 7, 8])
    np.testing.assert_array_equal(scores(teacher, [5, 6, 0, 0, 0, 0]), alone)


def test_the_newest_item_is_the_last_one_that_is_there():
    real = tf.constant([[1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], tf.float32)
    newest = _mask_newest(real[..., tf.newaxis])[..., 0].numpy()
    assert newest.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]

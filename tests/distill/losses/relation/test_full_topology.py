import numpy as np
import pytest
from scipy.spatial.distance import cdist

from kd_tf.distill.losses.relation.full_topology import FullTopology

HISTORY, TARGETS = [[1], [3], [2]], [[4, 9], [30, 4], [9, 0]]


def topology(model):
    vectors = np.r_[model.user_table.numpy()[[1, 3, 2]], model.item_table.numpy()[[4, 9, 30]]]
    return 1 - cdist(vectors, vectors, "cosine")


def test_the_mean_is_the_squared_frobenius_distance_over_the_pairs(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    actual = vector_models.loss(FullTopology(), student, teacher, HISTORY, TARGETS)
    error = (topology(student) - topology(teacher)) ** 2
    assert actual.mean() == pytest.approx(error.mean(), rel=2e-3)
    expected = (3 * error[:3].sum(axis=1) + error[3:].sum()) / 36
    np.testing.assert_allclose(actual, expected, rtol=2e-3)


def test_the_loss_by_hand(vector_models):
    # A user and an item: at a right angle for the teacher, the same direction for the student.
    student = vector_models.factor_model([[2, 0]], [[5, 0], [1, 1]])
    teacher = vector_models.factor_model([[0, 3, 0]], [[1, 0, 0], [1, 1, 1]])
    actual = vector_models.loss(FullTopology(), student, teacher, [[1]], [[1]])
    assert actual == pytest.approx([2 / 4])


def test_a_student_turned_and_stretched_knows_everything(vector_models):
    teacher = vector_models.random_model(3, seed=0)
    turn = 5 * np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    student = vector_models.factor_model(
        teacher.user_table.numpy()[1:] @ turn, teacher.item_table.numpy()[1:] @ turn
    )
    actual = vector_models.loss(FullTopology(), student, teacher, HISTORY, TARGETS)
    assert actual == pytest.approx([0, 0, 0], abs=1e-6)


def test_no_items_at_all_are_refused():
    with pytest.raises(ValueError, match="max_items must be at least 1, not 0"):
        FullTopology(0)

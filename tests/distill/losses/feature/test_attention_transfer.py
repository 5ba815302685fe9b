import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.distill.losses.feature.attention_transfer import (
    AttentionTransfer,
    compute_attention,
)


def test_the_loss_by_hand(vector_models):
    # Along the teacher's user its items say 1, 1 and 2; along the student's 3, 0 and 0.
    student = vector_models.factor_model([[3]], [[1], [0], [0], [9]], read=[[1, 2, 3, 0]])
    teacher = vector_models.factor_model([[1, 0]], [[1, 5], [-1, 3], [2, 0], [9, 9]])
    actual = vector_models.loss(AttentionTransfer(), student, teacher, [[1]], [[4]])
    expected = (1 - 1 / 6) ** 2 + (1 / 6) ** 2 + (4 / 6) ** 2
    assert actual == pytest.approx([expected], rel=1e-4)


def test_attention_is_a_distribution_over_the_items_that_are_there():
    random = np.random.default_rng(0)
    table, users = random.normal(size=(9, 3)), random.normal(size=(2, 3))
    ids = np.array([[1, 4, 8, 0], [3, 0, 0, 0]])
    actual = compute_attention(*(tf.constant(one) for one in (ids,)), *_float(table, users)).numpy()
    inner = np.where(ids > 0, np.einsum("bnd,bd->bn", table[ids], users), 0) ** 2
    np.testing.assert_allclose(actual, inner / inner.sum(axis=1, keepdims=True), rtol=1e-5)


def _float(*arrays):
    return (tf.constant(one, tf.float32) for one in arrays)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_scale_of_vectors_does_not_matter(scale):
    table, users = tf.constant([[9.0], [1.0], [2.0]]), tf.constant([[1.0]])
    actual = compute_attention(tf.constant([[1, 2]]), table * scale, users * scale)
    np.testing.assert_allclose(actual, [[0.2, 0.8]], rtol=1e-5)


def test_a_user_of_nothing_has_no_loss_and_no_gradient(vector_models):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)
    method = AttentionTransfer()
    method.build(vector_models.make_setup(student, teacher))
    batch = vector_models.make_batch(student, teacher, np.zeros((2, 5)), [[1], [2]])
    with tf.GradientTape() as tape:
        actual = method.compute_loss(batch)
    np.testing.assert_array_equal(actual, [0, 0])
    assert (tf.convert_to_tensor(tape.gradient(actual, student.table)).numpy() == 0).all()


def test_an_item_counts_once_and_padding_not_at_all(vector_models):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)
    histories = [[3, 5, 8, 0, 0], [3, 5, 3, 8, 5], [3, 5, 99, 8, -1]]
    actual = vector_models.loss(AttentionTransfer(), student, teacher, histories, [[1]] * 3)
    assert actual[0] > 0
    assert actual == pytest.approx([actual[0]] * 3, rel=2e-3)


def test_a_copy_of_the_teacher_has_nothing_to_learn(vector_models):
    teacher = vector_models.mlp(4, seed=0)
    actual = vector_models.loss(AttentionTransfer(), teacher, teacher)
    assert actual == pytest.approx(np.zeros(6), abs=1e-5)

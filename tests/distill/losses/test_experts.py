import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.distill.losses.experts import Experts


def test_the_experts_by_hand():
    experts = Experts(2, student_dim=1, teacher_dim=1, seed=0)
    weights = [
        [[[1.0]], [[-1.0]]],  # first: one sees positive numbers, the other negative ones
        [[0.0], [1.0]],
        [[[2.0]], [[10.0]]],  # second
        [[0.5], [0.0]],
        [[1.0, -1.0]],  # selection
        [0.0, 0.0],
    ]
    experts.set_weights([np.array(one) for one in weights])
    student = tf.constant([[3.0], [-1.0]])
    # Alone: 2 * 3 + 0.5 and 10 * max(1 - 3, 0); half each of 2 * 0 + 0.5 and 10 * (1 + 1).
    weights = tf.constant([[1.0, 0.0], [0.5, 0.5]])
    assert experts.reconstruct(student, weights).numpy()[:, 0] == pytest.approx([6.5, 10.25])
    chosen = experts.select_experts(tf.constant([[2.0], [-2.0]]), 1.0, training=False)
    np.testing.assert_array_equal(chosen, [[1, 0], [0, 1]])


def test_experts_are_drawn_as_often_as_they_are_preferred():
    experts = Experts(3, student_dim=2, teacher_dim=1, seed=0)
    experts.selection_kernel.assign([[0.0, np.log(2.0), np.log(5.0)]])
    rng.set_seed(0)
    chosen = experts.select_experts(tf.ones([20_000, 1]), 0.01, training=True).numpy()
    np.testing.assert_allclose(chosen.sum(axis=1), 1, rtol=1e-5)
    assert (chosen.max(axis=1) > 0.99).mean() > 0.97
    np.testing.assert_allclose(chosen.mean(axis=0), np.array([1, 2, 5]) / 8, atol=0.015)


def test_a_high_temperature_weights_experts_equally_and_a_low_one_is_finite():
    experts = Experts(4, student_dim=2, teacher_dim=3, seed=0)
    teacher = tf.random.normal([50, 3])
    np.testing.assert_allclose(experts.select_experts(teacher, 1e4, training=True), 0.25, atol=0.01)
    with tf.GradientTape() as tape:
        error = experts.compute_error(tf.ones([50, 2]), teacher, 1e-3, training=True)
    assert np.isfinite(error).all()
    assert all(np.isfinite(one).all() for one in tape.gradient(error, experts.weights))

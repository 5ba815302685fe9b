"""A curriculum with easy users first."""

from types import SimpleNamespace

import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.distill.weighting.curriculum import Curriculum
from kd_tf.distill.weighting.fixed import ConstantWeights

HARD = tf.constant([1.0, 2.0, 3.0, 4.0])


def step(progress: float) -> SimpleNamespace:
    """Four users: the teacher finds the items of the third best, of the fourth not at all."""
    labels = {
        "targets": tf.constant([[5, 0], [6, 8], [5, 6], [9, 9]]),
        "teacher_ids": tf.constant([[5, 6, 7], [5, 6, 7], [5, 6, 0], [5, 6, 7]]),
        "teacher_logits": tf.constant([[4.0, 2, 1], [4, 2, 1], [9, 8, 0], [4, 2, 1]]),
    }
    return SimpleNamespace(labels=labels, progress=tf.constant(progress, tf.float32))


@pytest.mark.parametrize(
    ("progress", "counted"),
    [
        (0.0, [0, 0, 1, 0]),
        (0.1, [1, 0, 1, 0]),
        (0.2, [1, 1, 1, 0]),
        (0.4, [1, 1, 1, 1]),
        (1.0, [1, 1, 1, 1]),
    ],
)
def test_more_and_harder_users_count_from_step_to_step(progress, counted):
    made = Curriculum(ConstantWeights(1.0), initial_fraction=0.25, ramp_end=0.4)
    np.testing.assert_array_equal(made.compute_example_mask(step(progress)), counted)


def test_the_remaining_examples_are_weighted_up():
    made = Curriculum(ConstantWeights(1.0), initial_fraction=0.25, ramp_end=0.4)
    np.testing.assert_allclose(made.combine(HARD, [], step(0.1)), [2, 0, 6, 0])
    np.testing.assert_allclose(made.combine(HARD, [], step(1.0)), HARD)


def test_an_example_without_teacher_output_counts_as_hard():
    labels = {
        "targets": tf.constant([[5], [5]]),
        "teacher_ids": tf.constant([[0, 0], [6, 7]]),
        "teacher_logits": tf.constant([[0.0, 0], [-3, -5]]),
    }
    made = Curriculum(initial_fraction=0.5, ramp_end=1.0)
    actual = made.compute_example_mask(SimpleNamespace(labels=labels, progress=tf.zeros([])))
    np.testing.assert_array_equal(actual, [0, 1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial_fraction": 0},
        {"initial_fraction": 1.1},
        {"ramp_end": -1},
        {"initial_fraction": np.nan},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="initial_fraction must be"):
        Curriculum(**wrong)


def test_it_comes_back_from_its_configuration_with_what_it_wraps():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(Curriculum(ConstantWeights(0.25), 0.5, 0.75))
    )
    assert (
        again.weighting.student_loss_weight,
        again.initial_fraction,
        again.ramp_end,
    ) == (0.25, 0.5, 0.75)

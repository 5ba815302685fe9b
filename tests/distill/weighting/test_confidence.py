"""Weights by the teacher's confidence."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from kd_tf.backend import keras, tf
from kd_tf.distill.weighting.confidence import TeacherConfidence


def step(ids, logits) -> SimpleNamespace:
    labels = {"teacher_ids": tf.constant(ids), "teacher_logits": tf.constant(logits, tf.float32)}
    return SimpleNamespace(labels=labels)


STEP = step(
    [[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 0, 0], [0, 0, 0, 0], [7, 0, 0, 0]],
    [[2, 2, 2, 2], [90, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [3, 0, 0, 0]],
)


def test_the_weight_is_how_far_the_entropy_is_from_its_most():
    p = 1 / (1 + np.exp(-0.5))
    half_sure = 1 - stats.entropy([p, 1 - p]) / np.log(2)
    actual = TeacherConfidence(0.2, temperature=2.0).compute_weight(STEP)
    np.testing.assert_allclose(actual, [0, 0.8, 0.8 * half_sure, 0, 0.8], atol=1e-5)


def test_where_the_teacher_is_not_confident_only_the_targets_count():
    hard, soft = tf.constant([1.0, 2, 3, 4, 5]), [tf.constant([10.0, 20, 30, 40, 50])] * 2
    made = TeacherConfidence(0.2)
    weight = made.compute_weight(STEP).numpy()
    actual = made.combine(hard, soft, STEP).numpy()
    np.testing.assert_allclose(actual, (1 - weight) * hard + weight * 2 * soft[0], rtol=1e-6)
    assert actual[0] == pytest.approx(1, abs=1e-5)
    assert actual[3] == 4


@pytest.mark.parametrize(
    "wrong", [{"student_loss_weight": 2}, {"temperature": 0}, {"temperature": np.nan}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        TeacherConfidence(**wrong)


def test_it_comes_back_from_its_configuration():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(TeacherConfidence(0.25, 3.0))
    )
    assert (again.student_loss_weight, again.temperature) == (0.25, 3.0)

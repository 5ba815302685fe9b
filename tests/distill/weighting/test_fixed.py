"""Constant weights of the student loss and of the distillation losses."""

import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.distill.weighting.fixed import ConstantWeights

HARD = tf.constant([1.0, 2.0])
SOFT = [tf.constant([10.0, 20.0]), tf.constant([3.0, 5.0])]


def test_hard_and_soft_are_mixed_by_hand():
    actual = ConstantWeights(0.25).combine(HARD, SOFT, None)
    np.testing.assert_allclose(actual, [0.25 + 0.75 * 13, 0.5 + 0.75 * 25])


def test_every_method_has_its_weight():
    actual = ConstantWeights(0.5, distillation_loss_weights=[0.1, 2.0]).combine(HARD, SOFT, None)
    np.testing.assert_allclose(actual, [0.5 + 0.5 * 7, 1 + 0.5 * 12])


def test_with_student_loss_weight_1_only_the_student_loss_remains():
    np.testing.assert_array_equal(ConstantWeights(1.0).combine(HARD, SOFT, None), HARD)
    np.testing.assert_array_equal(ConstantWeights().combine(HARD, [], None), HARD)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_a_student_loss_weight_outside_its_range_is_refused(alpha):
    with pytest.raises(ValueError, match=r"student_loss_weight must be in \[0, 1\]"):
        ConstantWeights(alpha)


def test_wrong_weights_are_refused():
    with pytest.raises(ValueError, match="0 or more"):
        ConstantWeights(0.5, distillation_loss_weights=[1.0, -1.0])
    with pytest.raises(ValueError, match="2 distillation losses need as many weights, not 1"):
        ConstantWeights(0.5, distillation_loss_weights=[1.0]).combine(HARD, SOFT, None)
    with pytest.raises(ValueError, match=r"student_loss_weight is 0\.5, but there is no"):
        ConstantWeights(0.5).combine(HARD, [], None)


def test_it_comes_back_from_its_configuration():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(
            ConstantWeights(0.3, distillation_loss_weights=[1.0, 0.5])
        )
    )
    assert (again.student_loss_weight, again.distillation_loss_weights) == (0.3, (1.0, 0.5))

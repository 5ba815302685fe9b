"""Learned weights of losses."""

import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationSetup
from kd_tf.distill.weighting.uncertainty import Uncertainty

HARD = tf.constant([1.0, 3.0])
SOFT = [tf.constant([200.0, 600.0]), tf.constant([0.01, 0.03])]


def balance(methods: int = 2) -> Uncertainty:
    made = Uncertainty()
    made.build(
        DistillationSetup(
            student=None,
            teachers=[],
            popularity=np.ones(3),
            num_steps=1,
            seed=0,
            num_losses=methods,
        )
    )
    return made


def test_at_first_all_losses_are_added():
    np.testing.assert_allclose(balance().combine(HARD, SOFT, None), [201.01, 603.03], rtol=1e-6)


def test_a_scale_divides_its_loss_and_costs_itself():
    made = balance()
    made.log_scales.assign([0.0, np.log(100.0), np.log(0.5)])
    expected = np.array([1 + 2 + 0.02, 3 + 6 + 0.06]) + np.log(100) + np.log(0.5)
    np.testing.assert_allclose(made.combine(HARD, SOFT, None), expected, rtol=1e-6)


@pytest.mark.slow
def test_learned_scales_are_the_means_of_their_losses():
    made = balance()
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(1500):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(made.combine(HARD, SOFT, None))
        optimizer.minimize(loss, made.trainable_variables, tape=tape)
    np.testing.assert_allclose(np.exp(made.log_scales.numpy()), [2, 400, 0.02], rtol=0.02)


def test_more_losses_than_were_prepared_for_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError):
        balance(1).combine(HARD, SOFT, None)

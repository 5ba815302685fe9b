import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.layers.dropout import Dropout


def test_a_share_of_the_inputs_is_dropped_in_training_and_the_rest_scaled_up():
    rng.set_seed(0)
    outputs = Dropout(0.25)(tf.ones([4, 5000]), training=True).numpy()
    assert set(np.unique(outputs)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert (outputs > 0).mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("rate", [0.0, 0.9])
def test_nothing_is_dropped_outside_of_training(rate):
    inputs = tf.random.stateless_normal([3, 7], seed=[1, 2])
    np.testing.assert_array_equal(Dropout(rate)(inputs, training=False), inputs)
    np.testing.assert_array_equal(Dropout(0.0)(inputs, training=True), inputs)


def test_the_same_state_of_the_generator_drops_the_same_inputs():
    layer, inputs = Dropout(0.5), tf.ones([100])
    rng.set_seed(3)
    first, second = layer(inputs, training=True), layer(inputs, training=True)
    assert (first.numpy() != second.numpy()).any()
    rng.set_seed(3)
    np.testing.assert_array_equal(layer(inputs, training=True), first)


def test_the_rate_survives_the_configuration():
    layer = keras.layers.deserialize(keras.layers.serialize(Dropout(0.3)))
    assert isinstance(layer, Dropout)
    assert layer.rate == 0.3


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_out_of_range_raises_with_its_value(rate):
    with pytest.raises(ValueError, match=rf"rate must be in \[0, 1\), not {rate}"):
        Dropout(rate)

"""Weights that give all losses gradients of equal norm."""

from types import SimpleNamespace

import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.distill.weighting.gradient_norm import GradientNorm

LOGITS = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


def losses(logits: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    hard = tf.reduce_sum(tf.square(logits - 1.0), axis=1)
    return hard, [tf.reduce_sum(1000 * logits**3, axis=1), tf.reduce_sum(tf.sin(logits), axis=1)]


@tf.function
def combined(alpha: float, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    hard, soft = losses(logits)
    batch = SimpleNamespace(logits=logits)
    actual = GradientNorm(alpha).combine(hard, soft, batch)
    return actual, tf.gradients(actual, [logits])[0]


def test_every_method_pulls_as_hard_as_the_users_items():
    _, pulled = combined(0.0, tf.constant(LOGITS))
    hard = 2 * (LOGITS - 1)
    cubic, wave = 3000 * LOGITS**2, np.cos(LOGITS)
    length = np.linalg.norm(hard)
    expected = (cubic / np.linalg.norm(cubic) + wave / np.linalg.norm(wave)) * length / 2
    np.testing.assert_allclose(pulled, expected, rtol=1e-4)


def test_with_student_loss_weight_1_only_the_targets_count():
    actual, pulled = combined(1.0, tf.constant(LOGITS))
    np.testing.assert_allclose(pulled, 2 * (LOGITS - 1), rtol=1e-5)
    np.testing.assert_allclose(actual, ((LOGITS - 1) ** 2).sum(axis=1), rtol=1e-5)


def test_a_student_loss_weight_outside_its_range_and_no_methods_are_refused():
    with pytest.raises(ValueError, match=r"student_loss_weight must be in \[0, 1\], not 1.5"):
        GradientNorm(1.5)
    with pytest.raises(ValueError, match="no distillation losses to weight"):
        GradientNorm(0.5).combine(tf.ones([2]), [], None)


def test_it_comes_back_from_its_configuration():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(GradientNorm(0.25))
    )
    assert again.student_loss_weight == 0.25

import numpy as np
import pytest

from kd_tf.backend import keras
from kd_tf.distill.losses.response.logit_matching import LogitMatching

V, K = 30, 8


def test_the_loss_by_hand(responses):
    # The student's 1, 3, 8 are -3, -1, 4 around their mean, the teacher's 4, 2, 0 are 2, 0, -2.
    batch = responses.make_batch([[0, 8, 1, 3]], [[2, 3, 1, 0]], [[4, 2, 0, 0]])
    assert LogitMatching().compute_loss(batch).numpy() == pytest.approx([(25 + 1 + 36) / 3])


def test_the_loss_is_the_variance_of_the_differences(responses):
    random = np.random.default_rng(0)
    logits, teacher = random.normal(0, 2, (4, V + 1)), random.normal(0, 2, (4, K))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(4)])
    expected = np.var(np.take_along_axis(logits, ids, axis=1) - teacher, axis=1)
    actual = LogitMatching().compute_loss(responses.make_batch(logits, ids, teacher))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 30.0, -7.5])
def test_a_constant_in_all_logits_is_nothing_to_learn(responses, shift):
    teacher = np.linspace(4, -2, K)[None]
    logits = np.random.default_rng(0).normal(0, 1, (1, V + 1))
    logits[0, 5 : 5 + K] = teacher + shift
    batch = responses.make_batch(logits, [np.arange(5, 5 + K)], teacher)
    np.testing.assert_allclose(LogitMatching().compute_loss(batch), 0, atol=1e-9)


def test_a_single_item_has_no_loss(responses):
    batch = responses.make_batch(np.ones((1, V + 1)), [[3, 0]], [[9.0, 0]])
    assert LogitMatching().compute_loss(batch).numpy() == [0]


@pytest.mark.slow
def test_a_student_comes_to_the_teachers_logits(responses):
    losses, _, _ = responses.train(LogitMatching(), steps=60)
    assert losses[-1] < 0.05 * losses[0]


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(LogitMatching(name="mine"))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, LogitMatching)
    assert loaded.name == "mine"

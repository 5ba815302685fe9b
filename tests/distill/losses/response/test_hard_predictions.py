import numpy as np
import pytest
from scipy import special

from kd_tf.backend import keras
from kd_tf.distill.losses.response.hard_predictions import HardPredictions
from kd_tf.losses.softmax import MASKED_LOGIT

V, K = 30, 8


def test_the_loss_by_hand(responses):
    # The items 1..3 have 1/2, 1/4, 1/4; the two best of the teacher are 1 and 3.
    batch = responses.make_batch([np.log([1, 2, 1, 1])], [[1, 3, 2]])
    assert HardPredictions(2).compute_loss(batch).numpy() == pytest.approx(
        [(np.log(2) + np.log(4)) / 2]
    )


def test_only_the_best_items_count_and_not_their_probabilities(responses):
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (4, V + 1))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(4)])
    likelihood = special.log_softmax(logits[:, 1:], axis=1)
    expected = -np.take_along_axis(likelihood, ids[:, :3] - 1, axis=1).mean(axis=1)
    for teacher in (None, random.normal(0, 9, ids.shape)):
        actual = HardPredictions(3).compute_loss(responses.make_batch(logits, ids, teacher))
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_fewer_items_than_k_are_enough(responses):
    logits = np.random.default_rng(0).normal(0, 1, (1, V + 1))
    few = HardPredictions(10).compute_loss(responses.make_batch(logits, [[4, 9, 0]]))
    assert few.numpy() == pytest.approx(
        HardPredictions(2).compute_loss(responses.make_batch(logits, [[4, 9]]))
    )


def test_the_loss_is_least_where_the_mass_lies_evenly_on_the_teachers_items(responses):
    logits = np.full((1, V + 1), MASKED_LOGIT)
    logits[0, 1:5] = 1.0
    actual = HardPredictions(4).compute_loss(responses.make_batch(logits, [[1, 2, 3, 4]]))
    assert actual.numpy() == pytest.approx([np.log(4)], rel=1e-6)


@pytest.mark.slow
def test_a_student_learns_the_teachers_items(responses):
    losses, before, after = responses.train(HardPredictions(), steps=60)
    assert losses[-1] - np.log(K) < 0.1 * (losses[0] - np.log(K))
    assert after > 0.95 > 0.6 > before


@pytest.mark.parametrize("count", [0, -2])
def test_no_items_at_all_are_refused(count):
    with pytest.raises(ValueError, match=f"top_k must be at least 1, not {count}"):
        HardPredictions(count)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(HardPredictions(7))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, HardPredictions)
    assert loaded.top_k == 7

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.distill.losses.batch_entities import sample_target_items, to_example_losses
from kd_tf.distill.losses.embeddings import normalize_to_unit_length


def test_every_target_item_of_a_batch_is_there_once(vector_models):
    model = vector_models.random_model(2, seed=0)
    batch = vector_models.make_batch(model, model, [[1], [2]], [[7, 3, 0], [3, 30, 99]])
    actual = sample_target_items(batch, 5).numpy()
    assert sorted(actual) == [0, 0, 3, 7, 30]


def test_of_too_many_items_all_are_drawn_alike(vector_models):
    model = vector_models.random_model(2, seed=0)
    batch = vector_models.make_batch(model, model, [[1]], [[2, 2, 4, 6, 8]], training=True)
    rng.set_seed(0)
    samples = np.concatenate([sample_target_items(batch, 2).numpy() for _ in range(400)])
    assert set(samples) == {2, 4, 6, 8}
    assert np.bincount(samples)[[2, 4, 6, 8]] == pytest.approx(200, abs=40)


def test_shares_have_the_sum_as_their_mean():
    actual = to_example_losses(tf.constant([1.0, 2.0, 5.0, 7.0]), tf.constant(2)).numpy()
    assert actual == pytest.approx([2 + 12, 4 + 12])
    assert actual.mean() == pytest.approx(15)


def test_a_vector_without_a_direction_stays_zero_and_gets_no_gradient():
    vectors = tf.Variable([[3.0, 4.0], [0.0, 0.0], [1e-6, 0.0]])
    with tf.GradientTape() as tape:
        actual = normalize_to_unit_length(vectors)
    np.testing.assert_allclose(actual, [[0.6, 0.8], [0, 0], [0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(actual, vectors).numpy()[1:], 0)

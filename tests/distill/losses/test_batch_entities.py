import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.distill.losses.batch_entities import sample_target_items, to_example_losses
from kd_tf.distill.losses.embeddings import normalize_to_unit_length


def test_every_target_item_of_a_batch_is_there_once(vector_models):
    model = vector_models.drawn(2, seed=0)
    step = vector_models.step(model, model, [[1], [2]], [[7, 3, 0], [3, 30, 99]])
    found = sample_target_items(step, 5).numpy()
    assert sorted(found) == [0, 0, 3, 7, 30]


def test_of_too_many_items_all_are_drawn_alike(vector_models):
    model = vector_models.drawn(2, seed=0)
    step = vector_models.step(model, model, [[1]], [[2, 2, 4, 6, 8]], training=True)
    rng.set_seed(0)
    drawn = np.concatenate([sample_target_items(step, 2).numpy() for _ in range(400)])
    assert set(drawn) == {2, 4, 6, 8}
    assert np.bincount(drawn)[[2, 4, 6, 8]] == pytest.approx(200, abs=40)


def test_shares_have_the_sum_as_their_mean():
    found = to_example_losses(tf.constant([1.0, 2.0, 5.0, 7.0]), tf.constant(2)).numpy()
    assert found == pytest.approx([2 + 12, 4 + 12])
    assert found.mean() == pytest.approx(15)


def test_a_vector_without_a_direction_stays_zero_and_gets_no_gradient():
    vectors = tf.Variable([[3.0, 4.0], [0.0, 0.0], [1e-6, 0.0]])
    with tf.GradientTape() as tape:
        found = normalize_to_unit_length(vectors)
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(found, vectors).numpy()[1:], 0)

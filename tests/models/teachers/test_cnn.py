import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.models.teachers.cnn import CNNTeacher

V, L = 30, 6


def teacher(**settings) -> CNNTeacher:
    model = CNNTeacher(num_items=V, max_length=L, embedding_dim=4, filters=5, hidden=7, **settings)
    model.create_weights()
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return model


def scores(model: CNNTeacher, *rows: list[int]) -> np.ndarray:
    return model(tf.constant(rows, tf.int32)).numpy()


def test_the_order_of_the_items_matters():
    model = teacher()
    model.recency.assign(tf.ones(L))  # not only through how old an item is
    one, other = scores(model, [1, 2, 3, 4, 0, 0], [1, 3, 2, 4, 0, 0])
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("blocks", [1, 2])
def test_each_block_lets_an_item_see_one_neighbour_further(blocks):
    model, states = teacher(num_blocks=blocks, kernel_size=3), []
    last = model.convolutions[-1]

    def watched(rows):
        states.append(last(rows))
        return states[-1]

    model.convolutions[-1] = watched
    scores(model, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 7])
    changed = np.abs(states[0][0] - states[0][1]).max(axis=1) > 0
    assert changed.tolist() == [False] * (5 - blocks) + [True] * (blocks + 1)


def test_a_full_history_is_pooled_like_one_with_padding_behind_it():
    model = teacher()
    # Where all states are negative, a zero from padding would be the strongest.
    model.projection.bias.assign(tf.fill([5], -9.0))
    for convolution in model.convolutions:
        convolution.bias.assign(tf.fill([5], -99.0))
    full = [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(scores(model, full), scores(model, [*full, 0, 0]), atol=1e-5)

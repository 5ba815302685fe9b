import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.models.students.shallow_cnn import ShallowCNNStudent

V, L = 30, 6


@pytest.fixture(scope="module")
def student() -> ShallowCNNStudent:
    model = ShallowCNNStudent(num_items=V, max_length=L, embedding_dim=4, filters=5, hidden=7)
    model.create_weights()
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    model.recency.assign(tf.ones(L))  # what order changes, it changes through the filters
    return model


def scores(model: ShallowCNNStudent, *rows: list[int]) -> np.ndarray:
    return model(tf.constant(rows, tf.int32)).numpy()


def test_which_items_were_read_one_after_the_other_matters(student):
    one, other = scores(student, [1, 2, 3, 4, 0, 0], [1, 3, 2, 4, 0, 0])
    assert np.abs(one - other).max() > 1e-3


def test_the_scores_are_those_of_the_formula(student):
    table = student.table.numpy()
    kernel, bias = student.convolution.get_weights()  # [3, d, filters], [filters]
    W1, b1, W2, b2 = student.core.get_weights()
    history = [7, 9, 2]
    weight = np.log1p(np.e)  # softplus(1) for every item
    rows = table[history]
    around = np.pad(rows, ((1, 1), (0, 0)))
    seen = np.stack(
        [np.einsum("kd,kdf->f", around[place : place + 3], kernel) + bias for place in range(3)]
    )
    pool = weight / np.sqrt(3 * weight)
    expected_scores = rows.sum(axis=0) * pool
    both = np.concatenate([expected_scores, np.maximum(seen, 0).sum(axis=0) * pool])
    user = expected_scores + np.maximum(both @ W1 + b1, 0) @ W2 + b2
    np.testing.assert_allclose(
        scores(student, [*history, 0, 0, 0])[0], table @ user, rtol=1e-4, atol=1e-5
    )

import numpy as np
import pytest
from scipy import special

from kd_tf.backend import keras, tf
from kd_tf.models.students.mlp import MLPStudent

V, L, d = 30, 6, 4


@pytest.fixture
def student() -> MLPStudent:
    model = MLPStudent(num_items=V, max_length=L, embedding_dim=d, hidden=7)
    model.create_weights()
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return model


def scores(model: MLPStudent, *rows: list[int]) -> np.ndarray:
    return model(tf.constant(rows, tf.int32)).numpy()


def test_the_scores_are_those_of_the_formula(student):
    table, recency = student.table.numpy(), student.recency.numpy()
    W1, b1, W2, b2 = student.core.get_weights()
    history = [7, 9, 2]
    weights = np.log1p(np.exp(recency[[2, 1, 0]].astype(np.float64)))
    pooled = weights @ table[history] / np.sqrt(max(weights.sum(), 1))
    user = pooled + np.maximum(pooled @ W1 + b1, 0) @ W2 + b2
    np.testing.assert_allclose(
        scores(student, [*history, 0, 0, 0])[0], table @ user, rtol=1e-4, atol=1e-5
    )


def test_order_matters_only_through_recency(student):
    forward, backward = scores(student, [1, 2, 3, 4, 0, 0], [4, 3, 2, 1, 0, 0])
    assert np.abs(forward - backward).max() > 1e-3
    student.recency.assign(tf.fill([L], 0.3))
    forward, backward = scores(student, [1, 2, 3, 4, 0, 0], [4, 3, 2, 1, 0, 0])
    np.testing.assert_allclose(forward, backward, atol=1e-5)


def test_the_first_recency_weight_belongs_to_the_newest_item(student):
    # The weight of 1 that an item alone has, and as good as none for all that are older.
    student.recency.assign([np.log(np.e - 1), *[-40.0] * (L - 1)])
    assert special.log1p(np.exp(student.recency.numpy()[0])) == pytest.approx(1)
    newest_of_three, alone = scores(student, [8, 9, 5, 0, 0, 0], [5, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(newest_of_three, alone, atol=1e-5)


def test_an_empty_history_gets_the_list_of_the_last_bias(student):
    _, b1, W2, b2 = student.core.get_weights()
    user = np.maximum(b1, 0) @ W2 + b2
    np.testing.assert_allclose(
        scores(student, [0] * L)[0], student.table.numpy() @ user, rtol=1e-4, atol=1e-5
    )


def test_pruning_finds_the_dense_core_without_the_table(student):
    assert isinstance(student.core, keras.Sequential)
    shapes = [tuple(weight.shape) for weight in student.core.trainable_weights]
    assert shapes == [(d, 7), (7,), (7, d), (d,)]

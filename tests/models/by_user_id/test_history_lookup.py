"""A history model that is called with user ids: the same scores as for their histories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.data.histories import Histories, from_lists
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.history_lookup import UserHistoryLookup
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers.ials import ImplicitALSTeacher
from kd_tf.training import checkpoint

V, L = 20, 4
NUMBERS = [3, 0, 6]
ITEMS = [[5, 9, 2], [7], [1, 2, 3, 4, 5, 6]]


def train() -> Histories:
    rows = from_lists([np.array(row, np.int32) for row in ITEMS])
    return Histories(rows.items, rows.offsets, None, np.array(NUMBERS, np.int32))


def network() -> HistoryModel:
    return MLPStudent(num_items=V, max_length=L, embedding_dim=6)


def solved() -> HistoryModel:
    model = ImplicitALSTeacher(
        num_items=V, max_length=L, embedding_dim=6, alpha=4.0, regularization=1.0
    )
    model.create_weights()
    model.assign(np.random.default_rng(0).normal(size=(V + 1, 6)).astype(np.float32))
    return model


@pytest.fixture(params=[network, solved])
def model(request: pytest.FixtureRequest) -> HistoryModel:
    rng.set_seed(0)
    made = request.param()
    made.create_weights()
    return made


def test_a_number_stands_for_the_users_newest_items(model):
    actual = UserHistoryLookup.from_histories(model, train())(tf.constant([[4], [1], [7]])).numpy()
    expected = model(tf.constant([[5, 9, 2, 0], [7, 0, 0, 0], [3, 4, 5, 6]])).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_unknown_users_get_the_scores_of_an_empty_history(model):
    unknown = tf.constant([[0], [-1], [3], [8], [2**31 - 1]])  # number 2 is in no training
    nobody = model(tf.zeros([1, L], tf.int32)).numpy()
    actual = UserHistoryLookup.from_histories(model, train())(unknown).numpy()
    np.testing.assert_allclose(actual, np.tile(nobody, (5, 1)), atol=1e-5)


def test_scored_as_others_are_it_takes_the_users_numbers(model):
    strangers = Histories(
        np.array([9, 9], np.int32), np.array([0, 1, 2]), None, np.array([6, 50], np.int32)
    )
    actual = make_score_fn(UserHistoryLookup.from_histories(model, train()))(strangers)
    expected = model(tf.constant([[3, 4, 5, 6], [0, 0, 0, 0]])).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-4)
    with pytest.raises(ValueError, match="no user indices"):
        make_score_fn(UserHistoryLookup.from_histories(model, train()))(from_lists([[1, 2]]))


def test_all_that_a_user_read_is_excluded_and_not_the_newest_alone(model):
    actual = (
        UserHistoryLookup.from_histories(model, train())
        .seen_items(tf.constant([[7], [4], [3]]))
        .numpy()
    )
    assert [set(row) - {0} for row in actual] == [set(ITEMS[2]), set(ITEMS[0]), set()]


def test_vectors_are_the_models(model):
    actual = UserHistoryLookup.from_histories(model, train())
    expected = model.user_embeddings(tf.constant([[5, 9, 2, 0]])).numpy()
    np.testing.assert_allclose(
        actual.user_embeddings(tf.constant([[4]])).numpy(), expected, atol=1e-5
    )
    np.testing.assert_array_equal(actual.item_embeddings().numpy(), model.item_embeddings().numpy())


def test_saved_and_loaded_it_answers_the_same(model, tmp_path: Path):
    actual = UserHistoryLookup.from_histories(model, train())
    checkpoint.save(actual, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    numbers = tf.constant([[4], [1], [0]])
    np.testing.assert_array_equal(loaded(numbers).numpy(), actual(numbers).numpy())


def test_users_without_numbers_are_refused(model):
    with pytest.raises(ValueError, match="no user indices"):
        UserHistoryLookup.from_histories(model, from_lists([[1, 2]]))

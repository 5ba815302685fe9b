import numpy as np
import pytest

from kd_tf.backend import tf, tfrs
from kd_tf.data.histories import from_lists
from kd_tf.evaluation.top_k import select_unseen_top_k
from kd_tf.models import batch_scoring
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers.gru import GRUTeacher

V, L, d, K = 40, 6, 5, 9


@pytest.fixture(
    scope="module",
    params=[lambda **sizes: MLPStudent(**sizes), lambda **sizes: GRUTeacher(units=4, **sizes)],
    ids=["mlp", "gru"],
)
def model(request):
    made = request.param(num_items=V, max_length=L, embedding_dim=d, hidden=7, item_dropout=0.5)
    made.create_weights()
    random = np.random.default_rng(0)
    for weight in made.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return made


@pytest.fixture(scope="module")
def histories():
    """Empty, short, full and longer than the model sees."""
    random = np.random.default_rng(1)
    lengths = [0, 1, 3, L, L + 1, 3 * L, *random.integers(0, 20, 30)]
    return from_lists([random.permutation(V)[:length] + 1 for length in lengths])


@pytest.mark.slow
def test_the_ranking_agrees_with_tfrs_brute_force_with_exclusions(model, histories):
    index = tfrs.layers.factorized_top_k.BruteForce()
    index.index(model.table[1:], identifiers=tf.range(1, V + 1))
    _, expected = index.query_with_exclusions(
        model.user_embeddings(tf.constant(histories.pad(L))),
        tf.constant(histories.pad(20)),  # all that was read, not only what the model sees
        k=K,
    )
    actual = select_unseen_top_k(batch_scoring.make_score_fn(model)(histories), histories, K)
    assert actual.dtype == np.int32
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.slow
def test_how_many_are_scored_at_once_changes_nothing(model, histories, monkeypatch):
    padded = histories.pad(L)
    together = batch_scoring.compute_scores(model, padded)
    monkeypatch.setattr(batch_scoring, "MAX_SCORES_IN_MEMORY", 7 * (V + 1))
    assert batch_scoring.get_scoring_batch_size(model) == 7
    np.testing.assert_allclose(batch_scoring.compute_scores(model, padded), together, atol=1e-5)


def test_a_catalog_larger_than_the_limit_is_scored_row_by_row(model, monkeypatch):
    monkeypatch.setattr(batch_scoring, "MAX_SCORES_IN_MEMORY", 3)
    assert batch_scoring.get_scoring_batch_size(model) == 1


@pytest.mark.slow
def test_scores_are_the_models_own_without_dropout(model, histories):
    padded = histories.pad(L)
    scores = batch_scoring.compute_scores(model, padded)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, model(tf.constant(padded), training=False), atol=1e-5)


@pytest.mark.slow
def test_a_scorer_sees_the_newest_items_of_a_history(model, histories):
    scores = batch_scoring.make_score_fn(model)(histories)
    np.testing.assert_array_equal(scores, batch_scoring.compute_scores(model, histories.pad(L)))


def test_a_scorer_made_before_training_scores_by_the_weights_of_the_moment(model, histories):
    score = batch_scoring.make_score_fn(model)
    before = score(histories)
    table = model.table.numpy()
    try:
        model.table.assign(-table)
        assert (score(histories) != before).any()
    finally:
        model.table.assign(table)
    np.testing.assert_array_equal(score(histories), before)

"""The content teacher: columns predicted from those of other items."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import sparse

import kd_tf as kd
from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.data.histories import from_lists
from kd_tf.data.split import HeldOutSet, TrainingSet
from kd_tf.errors import UserError
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.content import item_mixtures
from kd_tf.models.content.item_matrix import compute_predicted_matrix
from kd_tf.models.content.item_mixtures import ItemMixtures, fit_item_mixtures
from kd_tf.models.training_data import TrainingData
from kd_tf.progress import NullProgress

SPLIT = kd.split(kd.data.bookshop(items=80, users=150, seed=2), "cold-items", seed=2)


def test_a_predicted_matrix_is_what_dense_algebra_gives() -> None:
    random = np.random.default_rng(0)
    size = 12
    matrix = random.uniform(0, 1, (size, size)) * (random.uniform(size=(size, size)) < 0.5)
    np.fill_diagonal(matrix, 0)
    matrix[0] = matrix[:, 0] = 0
    is_new = np.zeros(size, bool)
    is_new[[3, 7]] = True
    matrix[is_new] = matrix[:, is_new] = 0
    weights = random.uniform(0, 1, (size - 1, size)) * (random.uniform(size=(size - 1, size)) < 0.4)
    weights[:, 0] = weights[:, is_new] = 0
    weights[np.arange(size - 1), np.arange(1, size)] = 0
    mixtures = ItemMixtures(
        np.arange(1, size, dtype=np.int32), sparse.csr_array(weights.astype(np.float32))
    )
    predicted = compute_predicted_matrix(
        sparse.csr_array(matrix.astype(np.float32)), mixtures, is_new, max_weights=size
    ).toarray()

    strongest = matrix.max(axis=1)
    with_self = matrix + 2 * np.median(strongest[strongest > 0]) * np.diag(~is_new)
    with_self[0, 0] = 0
    full_weights = np.vstack([np.zeros(size), weights])
    expected = with_self @ full_weights.T
    expected[is_new] = full_weights[is_new] @ expected
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)


def test_the_leave_one_out_weights_are_those_of_a_fit_without_the_item() -> None:
    content = kd.data.encode_items(kd.data.bookshop(items=50, users=50, seed=1)).content
    assert content is not None
    popularity = np.append(0, np.ones(50, np.int64))
    together = fit_item_mixtures(content, popularity, includes_known=True)
    assert together is not None
    for item in (1, 17, 50):
        without = popularity.copy()
        without[item] = 0
        alone = fit_item_mixtures(content, without)
        assert alone is not None
        np.testing.assert_allclose(
            together.weights[[item - 1]].toarray(), alone.weights.toarray(), atol=1e-4
        )


def test_content_is_mapped_once_for_all_models(monkeypatch: pytest.MonkeyPatch) -> None:
    content = kd.data.encode_items(kd.data.bookshop(items=80, users=150, seed=2)).content
    popularity = SPLIT.popularity()
    assert content is not None
    item_mixtures._latest_fits.clear()
    new_items = fit_item_mixtures(content, popularity)
    item_mixtures._latest_fits.clear()
    all_items = fit_item_mixtures(content, popularity, includes_known=True)
    monkeypatch.setattr(item_mixtures, "_solve", None)
    kept = fit_item_mixtures(content, popularity)
    assert new_items is not None
    assert kept is not None
    np.testing.assert_array_equal(kept.items, new_items.items)
    np.testing.assert_array_equal(kept.weights.toarray(), new_items.weights.toarray())
    assert fit_item_mixtures(content, popularity, includes_known=True) is all_items
    with pytest.raises(TypeError):  # of other readers nothing is kept
        fit_item_mixtures(content, popularity + 1)


def test_new_items_are_ranked_far_above_chance() -> None:
    teacher = kd.models.ContentTeacher(SPLIT.num_items, max_length=30)
    teacher.fit(SPLIT.train, validation_data=SPLIT.validation)
    cold = SPLIT.test.select_cold_items()
    chance = kd.evaluate(kd.baselines.random_order.fit(SPLIT), cold)["ndcg@10"]
    assert kd.evaluate(teacher, cold)["ndcg@10"] > chance + 0.15


@pytest.mark.parametrize("reads_alike", [True, False])
def test_similarities_count_as_far_as_validation_users_like_them(reads_alike: bool) -> None:
    # Items 2n + 1 and 2n + 2 have the same words; what content is mapped to says something else.
    random = np.random.default_rng(4)
    num_items = 60
    words = sparse.csr_array(np.eye(30, dtype=np.float32)[np.arange(num_items) // 2])
    content = ContentFeatures((FeatureBlock("title (tfidf)", words),))
    mapped = random.uniform(size=(num_items + 1, num_items + 1)).astype(np.float32)
    mapped[0] = mapped[:, 0] = 0
    np.fill_diagonal(mapped, 0)
    shown = np.arange(1, num_items, 2)
    held_out = shown + 1 if reads_alike else np.roll(shown, 1)
    if not reads_alike:
        mapped[shown, held_out] = 1.5
    mapped_matrix = sparse.csr_array(mapped)
    validation = HeldOutSet(
        from_lists(shown[:, None].tolist()), from_lists(held_out[:, None].tolist()), np.arange(30)
    )
    metric = ValidationMetric(validation, num_items)
    teacher = kd.models.ContentTeacher(num_items, max_length=10)
    teacher.fit_matrix(mapped_matrix)
    before = metric(make_score_fn(teacher))
    train = TrainingSet(np.empty(0, np.int32), np.zeros(1, np.int64), num_items=num_items)
    teacher._add_similarities(
        mapped_matrix, content, TrainingData(train, 10, metric, NullProgress())
    )
    after = metric(make_score_fn(teacher))
    if reads_alike:
        assert before < 0.3
        assert after == 1
    else:
        assert before == 1
        np.testing.assert_array_equal(teacher.to_matrix().toarray(), mapped)


def test_a_split_without_texts_is_refused() -> None:
    bare = dataclasses.replace(SPLIT, catalog=None, content=None)
    teacher = kd.models.ContentTeacher(bare.num_items, max_length=30)
    with pytest.raises(UserError, match="needs texts"):
        teacher.fit(bare.train)

"""New items as mixtures of known ones: the weights, and their place in every model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.data.histories import from_lists
from kd_tf.encoders.base import normalize_rows
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.content import item_mixtures
from kd_tf.models.content.item_matrix import mix_item_matrix
from kd_tf.models.content.item_mixtures import ItemMixtures, fit_item_mixtures
from kd_tf.models.content.kernel import ContentKernel
from kd_tf.models.students import STUDENTS
from kd_tf.models.teachers import TEACHERS
from kd_tf.models.teachers.content import ContentTeacher
from kd_tf.models.teachers.content_tower import ContentTowerTeacher
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.training import checkpoint

V, L = 40, 8


def make_content(random: np.random.Generator, num_items: int) -> ContentFeatures:
    dense = normalize_rows(random.normal(size=(num_items, 6)).astype(np.float32))
    counts = sparse.csr_array(random.poisson(0.5, (num_items, 9)).astype(np.float32))
    return ContentFeatures(
        (FeatureBlock("dense", dense), FeatureBlock("counts", normalize_rows(counts)))
    )


def replace_rows(content: ContentFeatures, rows: dict[int, int | None]) -> ContentFeatures:
    """Gives items the content of others, or none."""
    blocks = []
    for block in content.blocks:
        is_dense = isinstance(block.vectors, np.ndarray)
        vectors = block.vectors.copy() if is_dense else block.vectors.toarray()
        for row, other in rows.items():
            vectors[row] = 0 if other is None else vectors[other]
        blocks.append(FeatureBlock(block.name, vectors if is_dense else sparse.csr_array(vectors)))
    return ContentFeatures(tuple(blocks))


def test_weights_are_those_of_kernel_ridge_regression_without_negative_ones() -> None:
    random = np.random.default_rng(0)
    content = make_content(random, 30)
    popularity = np.append(0, random.integers(1, 9, 30))
    popularity[[3, 17, 30]] = 0
    mixtures = fit_item_mixtures(content, popularity)
    assert mixtures is not None
    assert mixtures.items.tolist() == [3, 17, 30]

    dense = content.blocks[0].vectors
    counts = content.blocks[1].vectors.toarray()
    known = np.flatnonzero(popularity) - 1
    centred = dense - dense[known].mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    kernel = (np.maximum(centred @ centred.T, 0) ** 3 + counts @ counts.T) / 2
    expected = np.linalg.solve(
        kernel[np.ix_(known, known)] + np.eye(len(known)), kernel[np.ix_(known, [2, 16, 29])]
    ).T
    weights = mixtures.weights.toarray()
    np.testing.assert_allclose(weights[:, known + 1], np.maximum(expected, 0), atol=1e-5)
    assert (weights[:, [0, 3, 17, 30]] == 0).all()


def test_an_item_with_the_content_of_another_is_made_of_it_most_of_all() -> None:
    random = np.random.default_rng(1)
    content = make_content(random, 30)
    content = replace_rows(content, {4: 20})
    popularity = np.ones(31, np.int64)
    popularity[[0, 5]] = 0
    mixtures = fit_item_mixtures(content, popularity)
    assert mixtures is not None
    assert mixtures.weights.toarray()[0].argmax() == 21


def test_items_without_content_are_neither_mixed_nor_parts() -> None:
    random = np.random.default_rng(2)
    content = make_content(random, 12)
    content = replace_rows(content, {1: None, 8: None})
    popularity = np.ones(13, np.int64)
    popularity[[0, 2, 3]] = 0
    mixtures = fit_item_mixtures(content, popularity)
    assert mixtures is not None
    assert mixtures.items.tolist() == [3]
    assert mixtures.weights.toarray()[0, 9] == 0


@pytest.mark.parametrize("new", [[], list(range(1, 13))])
def test_there_may_be_nothing_to_mix_or_nothing_to_mix_of(new: list[int]) -> None:
    popularity = np.ones(13, np.int64)
    popularity[[0, *new]] = 0
    assert fit_item_mixtures(make_content(np.random.default_rng(3), 12), popularity) is None


def test_large_catalogs_are_mixed_of_their_most_popular_items(monkeypatch) -> None:
    monkeypatch.setattr(item_mixtures, "MAX_REFERENCE_ITEMS", 5)
    monkeypatch.setattr(item_mixtures, "MAX_PARTS", 3)
    popularity = np.arange(21)
    popularity[[7, 9]] = 0
    mixtures = fit_item_mixtures(make_content(np.random.default_rng(4), 20), popularity)
    assert mixtures is not None
    assert set(mixtures.weights.indices) <= set(range(16, 21))
    assert np.diff(mixtures.weights.indptr).max() <= 3


def test_the_kernel_of_an_item_with_itself_is_one() -> None:
    content = make_content(np.random.default_rng(5), 15)
    rows = np.arange(15)
    kernel = ContentKernel([block.vectors for block in content.blocks], rows).compute(rows, rows)
    has_counts = np.diff(content.blocks[1].vectors.indptr) > 0
    np.testing.assert_allclose(np.diag(kernel)[has_counts], 1, atol=1e-5)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-6)


def make_mixtures(parts: dict[int, dict[int, float]]) -> ItemMixtures:
    items = np.array(sorted(parts), np.int32)
    weights = np.zeros((len(items), V + 1), np.float32)
    for row, item in enumerate(items):
        for part, weight in parts[int(item)].items():
            weights[row, part] = weight
    return ItemMixtures(items, sparse.csr_array(weights))


SINGLE_MODELS = {
    name: model
    for name, model in {**TEACHERS, **STUDENTS}.items()
    # The content teacher makes all items of others by itself.
    if not issubclass(model, WeightedEnsemble | ContentTeacher | ContentTowerTeacher)
}


@pytest.mark.parametrize("name", sorted(SINGLE_MODELS))
def test_an_item_made_of_one_other_stands_where_that_stands_also_in_a_saved_model(
    tiny: Callable[..., HistoryModel], name: str, tmp_path: Path
) -> None:
    model = tiny(SINGLE_MODELS[name])
    if name in ("neighbours", "local-ridge"):
        random = np.random.default_rng(0)
        matrix = random.uniform(0, 1, (V + 1, V + 1)) * (random.uniform(size=(V + 1, V + 1)) < 0.3)
        np.fill_diagonal(matrix, 0)
        matrix[0] = matrix[:, 0] = 0
        model.fit_matrix(sparse.csr_array(matrix.astype(np.float32)))
    if hasattr(model, "wide_item_weights"):  # weights below 0 are not mixed
        model.wide_item_weights.assign(abs(model.wide_item_weights))
    histories = from_lists([[1, 2, 3], [4], [20, 21, 22, 23]])
    before = make_score_fn(model)(histories)
    model.mix_items(make_mixtures({10: {30: 1.0}}))
    checkpoint.save(model, tmp_path / "model")
    model = checkpoint.load(tmp_path / "model")
    if hasattr(model, "prior"):
        prior = model.prior.numpy()
        before, priors = before - prior, prior
    after = make_score_fn(model)(histories) - (priors if hasattr(model, "prior") else 0)
    others = np.delete(np.arange(1, V + 1), 9)
    if name in ("fold-in", "ials", "friends"):  # a new item is one more that a user has not read
        before = after
    np.testing.assert_allclose(after[:, others], before[:, others], atol=1e-5)
    np.testing.assert_allclose(after[:, 10], before[:, 30], atol=1e-5, rtol=1e-6)
    if hasattr(model, "wide_item_weights"):
        return  # its short rows lose an entry to the item itself
    # And as an item of the history.
    twins = make_score_fn(model)(from_lists([[1, 10], [1, 30]]))
    compared = np.delete(np.arange(1, V + 1), [9, 29])
    np.testing.assert_allclose(twins[0, compared], twins[1, compared], atol=1e-5)


def test_an_embedding_made_of_others_is_as_long_as_they_are(
    tiny: Callable[..., HistoryModel],
) -> None:
    # The plain average of 3 and 5 at right angles is sqrt(34) / 2 = 2.9 long, and in no top list.
    model = tiny(STUDENTS["mlp"])
    table = model.table.numpy()
    table[[30, 31]] = 0
    table[30, 0], table[31, 1] = 3, 5
    model.table.assign(table)
    model.mix_items(make_mixtures({10: {30: 0.5, 31: 0.5}, 11: {}}))
    row = model.table.numpy()[10]
    np.testing.assert_allclose(np.linalg.norm(row), 4, atol=1e-5)
    np.testing.assert_allclose(row[:2] / row[0], [1, 5 / 3], atol=1e-5)
    assert not model.table.numpy()[11].any()


def test_an_ensemble_mixes_its_members(tiny: Callable[..., HistoryModel]) -> None:
    members = [tiny(TEACHERS["spectral"], seed=seed) for seed in (0, 1)]
    model = WeightedEnsemble(members=members, weights=[1.0, 2.0])
    model.mix_items(make_mixtures({10: {30: 0.5, 31: 0.25}}))
    scores = make_score_fn(model)(from_lists([[1, 2]]))
    prior = sum(
        weight * member.prior.numpy() for weight, member in zip((1, 2), members, strict=True)
    )
    known = scores[0] - prior
    np.testing.assert_allclose(known[10], 0.5 * known[30] + 0.25 * known[31], atol=1e-4)


def test_a_model_without_rows_of_items_says_so() -> None:
    class Fixed(HistoryModel):
        pass

    with pytest.raises(NotImplementedError, match="Fixed has no rows of items"):
        Fixed(num_items=V, max_length=L).mix_items(make_mixtures({1: {2: 1.0}}))


def test_a_mixed_matrix_is_what_dense_algebra_gives() -> None:
    random = np.random.default_rng(6)
    dense = random.uniform(0, 1, (V + 1, V + 1)) * (random.uniform(size=(V + 1, V + 1)) < 0.2)
    np.fill_diagonal(dense, 0)
    dense[0] = dense[:, 0] = 0
    mixtures = make_mixtures({5: {1: 0.5, 2: 0.7}, 9: {2: 0.3, 30: 1.1}})
    matrix = mix_item_matrix(sparse.csr_array(dense.astype(np.float32)), mixtures).toarray()

    known = dense.copy()
    known[[5, 9]] = known[:, [5, 9]] = 0
    strongest = known.max(axis=1)
    with_self = known + 2 * np.median(strongest[strongest > 0]) * np.eye(V + 1)
    with_self[[0, 5, 9], [0, 5, 9]] = 0
    mixing = np.eye(V + 1)
    mixing[[0, 5, 9]] = 0
    mixing[[5, 9]] = mixtures.weights.toarray()
    expected = mixing @ with_self @ mixing.T
    expected[np.diag_indices(V + 1)] = 0
    np.testing.assert_allclose(matrix, expected, atol=1e-5)

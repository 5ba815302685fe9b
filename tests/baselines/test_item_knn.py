"""Item-kNN by hand and against dense algebra."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from implicit.nearest_neighbours import CosineRecommender
from scipy import sparse

from kd_tf.baselines import item_knn
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import Split
from kd_tf.evaluation.top_k import select_unseen_top_k

SplitOf = Callable[..., Split]

# Users of item 1: {0, 1, 2}, 2: {0, 1}, 3: {1, 3}, 4: {3}, 5: nobody.
TRAIN = [[2, 1], [1, 2, 3], [1], [4, 3]]
COSINE = {
    (1, 2): 2 / math.sqrt(3 * 2),
    (1, 3): 1 / math.sqrt(3 * 2),
    (2, 3): 1 / math.sqrt(2 * 2),
    (3, 4): 1 / math.sqrt(2 * 1),
}


@pytest.fixture
def model(split_of: SplitOf) -> item_knn.ItemKNN:
    return item_knn.fit(split_of(TRAIN, 5))


def test_the_similarity_is_the_cosine_of_the_user_sets(model: item_knn.ItemKNN) -> None:
    expected = np.zeros((6, 6))
    for (one, other), cosine in COSINE.items():
        expected[one, other] = expected[other, one] = cosine
    np.testing.assert_allclose(model.item_similarity.toarray(), expected, rtol=1e-6)


def test_items_rank_by_the_sum_of_their_similarities(model: item_knn.ItemKNN) -> None:
    histories = from_lists([[1], [3], [4, 2], [1, 4]])
    ranked = select_unseen_top_k(model.score(histories), histories, 3)
    # [4, 2]: item 3 has 0.71 + 0.5, item 1 has 0.82. [1, 4]: 3 has 0.41 + 0.71, 2 has 0.82.
    assert ranked.tolist() == [[2, 3, 0], [4, 2, 1], [3, 1, 0], [3, 2, 0]]


def test_an_item_without_a_neighbour_in_the_history_is_not_recommended(
    model: item_knn.ItemKNN,
) -> None:
    actual = model.score(from_lists([[4], [5], []])) > -np.inf
    assert actual.tolist() == [
        [False, False, False, True, False, False],
        [False] * 6,
        [False] * 6,
    ]


def test_candidate_and_history_side_keep_the_nearest_items_of_different_items(
    split_of: SplitOf,
) -> None:
    # The nearest of 1 is 2, of 2 is 1, of 3 is 4, of 4 is 3.
    candidate = item_knn.fit(split_of(TRAIN, 5), num_neighbours=1)
    assert _neighbours(candidate) == [(1, 2), (2, 1), (3, 4), (4, 3)]
    # A hub: 1 is the nearest of all, and has but one nearest itself.
    hub = split_of([[1, 2], [1, 2], [1, 3], [1, 4]], 4)
    candidate = item_knn.fit(hub, num_neighbours=1)
    history = item_knn.fit(hub, num_neighbours=1, side="history")
    assert _neighbours(candidate) == [(1, 2), (1, 3), (1, 4), (2, 1)]
    assert _neighbours(history) == [(1, 2), (2, 1), (3, 1), (4, 1)]
    # Each candidate keeps an item of the history: all can be recommended to a user of 1.
    only_hub = from_lists([[1]])
    assert select_unseen_top_k(candidate.score(only_hub), only_hub, 3).tolist() == [[2, 3, 4]]
    assert select_unseen_top_k(history.score(only_hub), only_hub, 3).tolist() == [[2, 0, 0]]


def _neighbours(model: item_knn.ItemKNN) -> list[tuple[int, int]]:
    """Pairs (item of the history, candidate)."""
    actual = model.item_similarity.tocoo()
    return sorted(zip(actual.row.tolist(), actual.col.tolist(), strict=True))


@pytest.mark.parametrize("neighbours", [1, 2, 5, 9])
def test_no_item_keeps_more_than_the_given_neighbours_when_many_are_equal(
    split_of: SplitOf, neighbours: int
) -> None:
    # Ten items with the same users are all at distance 0, the item itself being one of them.
    model = item_knn.fit(split_of([list(range(1, 11))] * 3, 10), num_neighbours=neighbours)
    similarity = model.item_similarity.toarray()
    assert (np.count_nonzero(similarity, axis=0)[1:] == neighbours).all()
    assert not similarity.diagonal().any()


def test_an_item_that_is_not_among_its_own_nearest_keeps_the_nearest_of_the_others(
    split_of: SplitOf,
) -> None:
    # BM25 grows with the weight: to item 1 all others are nearer than itself.
    split = split_of([[1, 2, 3, 4]], 8, weights=[1, 2, 4, 8])
    model = item_knn.fit(split, weighting="bm25", side="history", num_neighbours=2)
    assert [pair for pair in _neighbours(model) if pair[0] == 1] == [(1, 3), (1, 4)]


def test_every_variant_has_its_own_name(split_of: SplitOf) -> None:
    split = split_of(TRAIN, 5)
    names = {
        item_knn.fit(split, weighting=weighting, side=side).name
        for weighting in ("cosine", "bm25")
        for side in ("candidate", "history")
    }
    assert names == {"item-knn", "item-knn-history", "item-knn-bm25", "item-knn-bm25-history"}


def test_size_is_what_is_stored(split_of: SplitOf) -> None:
    model = item_knn.fit(split_of(TRAIN, 5), num_neighbours=1)
    assert model.num_parameters == 4
    assert model.num_bytes == 4 * (4 + 4) + 7 * 4


@pytest.mark.filterwarnings("ignore::implicit.utils.ParameterWarning")
def test_implicit_itself_recommends_items_of_the_history_when_neighbours_run_out() -> None:
    # Why `scores` does not call implicit's `recommend`. When this fails, it could.
    model = CosineRecommender(K=5, num_threads=1)
    read = np.zeros((len(TRAIN), 6))
    for user, items in enumerate(TRAIN):
        read[user, items] = 1
    model.fit(sparse.csr_matrix(read), show_progress=False)
    history = sparse.csr_matrix(np.array([[0.0, 1, 0, 0, 0, 0]]))
    ids, _ = model.recommend(0, history, N=5, filter_already_liked_items=True)
    assert 1 in ids


def test_no_warning_reaches_the_caller(split_of: SplitOf) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for weighting in ("cosine", "bm25"):
            item_knn.fit(split_of(TRAIN, 5), weighting=weighting)


def _dense(histories: Histories, items: int) -> np.ndarray:
    """float64 [n, V + 1] with the weights, one entry after the other."""
    read = np.zeros((len(histories), items + 1))
    weights = np.ones(len(histories.items)) if histories.weights is None else histories.weights
    row = np.repeat(np.arange(len(histories)), histories.lengths)
    for user, item, weight in zip(row, histories.items, weights, strict=True):
        read[user, item] = weight
    return read


def _cosine(split: Split) -> np.ndarray:
    read = (_dense(split.train, split.num_items) > 0).astype(float)
    length = np.sqrt(read.sum(axis=0))
    return read.T @ read / np.maximum(np.outer(length, length), 1)


def _bm25(split: Split) -> np.ndarray:
    """Each item is a document and its users are the terms."""
    counts = _dense(split.train, split.num_items).T
    length = counts.sum(axis=1, keepdims=True)
    normalised = 1.2 * (1 - 0.75 + 0.75 * length / length.mean())
    idf = np.log(len(counts) / (1 + (counts > 0).sum(axis=0)))
    weighted = np.where(counts > 0, counts * 2.2 / (normalised + counts), 0) * idf
    return weighted @ weighted.T


@pytest.mark.parametrize("side", ["candidate", "history"])
@pytest.mark.parametrize(("weighting", "oracle"), [("cosine", _cosine), ("bm25", _bm25)])
def test_scores_agree_with_dense_algebra(
    shelves: Split,
    weighting: item_knn.Side,
    oracle: Callable[[Split], np.ndarray],
    side: item_knn.Side,
) -> None:
    neighbours = 7
    expected = oracle(shelves)
    np.fill_diagonal(expected, 0)
    model = item_knn.fit(shelves, weighting=weighting, side=side, num_neighbours=neighbours)
    similarity = model.item_similarity.toarray().astype(np.float64)
    owned = similarity.T if side == "candidate" else similarity
    for item in range(1, 81):
        kept = owned[item] > 0
        assert kept.sum() == neighbours
        np.testing.assert_allclose(owned[item, kept], expected[item, kept], rtol=1e-5)
        assert expected[item, kept].min() >= expected[item, ~kept].max() - 1e-6

    histories = shelves.validation.histories
    sums = _dense(histories, shelves.num_items) @ similarity
    np.testing.assert_allclose(model.score(histories), np.where(sums > 0, sums, -np.inf), rtol=1e-5)


def test_weights_of_a_history_count_in_its_scores_but_not_in_the_cosine(
    split_of: SplitOf, model: item_knn.ItemKNN
) -> None:
    weighted = item_knn.fit(split_of(TRAIN, 5, weights=[1, 2, 3, 4, 5, 6, 7, 8]))
    np.testing.assert_array_equal(
        weighted.item_similarity.toarray(), model.item_similarity.toarray()
    )
    history = from_lists([[4, 2]])
    scores = model.score(Histories(history.items, history.offsets, np.float32([0.5, 3])))
    expected = 0.5 * COSINE[3, 4] + 3 * COSINE[2, 3]
    assert scores[0, 3] == pytest.approx(expected, rel=1e-6)


def test_weights_count_in_bm25(split_of: SplitOf) -> None:
    train = [[1, 2], [1, 3], [4], [5], [6]]
    plain = item_knn.fit(split_of(train, 6), weighting="bm25")
    glad = item_knn.fit(split_of(train, 6, weights=[1, 1, 5, 5, 1, 1, 1]), weighting="bm25")
    history = from_lists([[1]])
    assert plain.score(history)[0, 2] == plain.score(history)[0, 3]
    assert glad.score(history)[0, 3] > glad.score(history)[0, 2]


def test_less_than_one_neighbour_is_refused(split_of: SplitOf) -> None:
    with pytest.raises(ValueError, match="num_neighbours must be at least 1, not 0"):
        item_knn.fit(split_of(TRAIN, 5), num_neighbours=0)

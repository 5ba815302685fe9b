"""Item-kNN by hand and against dense algebra."""

import math
import warnings

import numpy as np
import pytest
from implicit.nearest_neighbours import CosineRecommender
from scipy import sparse

from kd_tf.data.histories import from_lists
from kd_tf.data.split import HeldOut, Split
from kd_tf.evaluate.baselines import item_knn, popularity
from kd_tf.evaluate.protocol import TrainingStatistics, evaluate


def split_of(train: list, books: int, test: HeldOut | None = None) -> Split:
    nobody = HeldOut(from_lists([]), from_lists([]), np.empty(0, np.int32))
    return Split(from_lists(train), nobody, test or nobody, "unseen-users", 0, books)


# Readers of book 1: {0, 1, 2}, 2: {0, 1}, 3: {1, 3}, 4: {3}, 5: nobody.
TRAIN = [[2, 1], [1, 2, 3], [1], [4, 3]]
COSINE = {
    (1, 2): 2 / math.sqrt(3 * 2),
    (1, 3): 1 / math.sqrt(3 * 2),
    (2, 3): 1 / math.sqrt(2 * 2),
    (3, 4): 1 / math.sqrt(2 * 1),
}


def test_the_similarity_is_the_cosine_of_the_reader_sets() -> None:
    expected = np.zeros((6, 6))
    for (one, other), cosine in COSINE.items():
        expected[one, other] = expected[other, one] = cosine
    model = item_knn.fit(split_of(TRAIN, 5))
    np.testing.assert_allclose(model.similarity.toarray(), expected, rtol=1e-6)


def test_books_rank_by_the_sum_of_their_similarities() -> None:
    model = item_knn.fit(split_of(TRAIN, 5))
    ranked = model.rank(from_lists([[1], [3], [4, 2], [1, 4]]), 3)
    assert ranked.dtype == np.int32
    # [4, 2]: book 3 has 0.71 + 0.5, book 1 has 0.82. [1, 4]: 3 has 0.41 + 0.71, 2 has 0.82.
    assert ranked.tolist() == [[2, 3, 0], [4, 2, 1], [3, 1, 0], [3, 2, 0]]


def test_where_no_neighbour_is_left_the_row_is_zero() -> None:
    model = item_knn.fit(split_of(TRAIN, 5))
    ranked = model.rank(from_lists([[5], [], [1, 2, 3, 4]]), 5)
    assert not ranked.any()


@pytest.mark.filterwarnings("ignore::implicit.utils.ParameterWarning")
def test_implicit_itself_recommends_books_of_the_history_when_neighbours_run_out() -> None:
    # Why `rank` does not call implicit's `recommend`. When this fails, it could.
    model = CosineRecommender(K=5, num_threads=1)
    read = np.zeros((len(TRAIN), 6))
    for reader, books in enumerate(TRAIN):
        read[reader, books] = 1
    model.fit(sparse.csr_matrix(read), show_progress=False)
    history = sparse.csr_matrix(np.array([[0.0, 1, 0, 0, 0, 0]]))
    ids, _ = model.recommend(0, history, N=5, filter_already_liked_items=True)
    assert 1 in ids


def test_equal_scores_go_by_id() -> None:
    model = item_knn.fit(split_of([[4, 2, 3, 1]], 4))
    assert model.rank(from_lists([[3]]), 3).tolist() == [[1, 2, 4]]


def test_only_the_nearest_neighbours_are_kept_and_the_book_itself_is_not_one() -> None:
    model = item_knn.fit(split_of(TRAIN, 5), neighbours=1)
    found = model.similarity.tocoo()
    pairs = dict(zip(found.row.tolist(), found.col.tolist(), strict=True))
    assert pairs == {1: 2, 2: 1, 3: 4, 4: 3}
    assert model.parameters == 4
    assert model.bytes == 4 * (4 + 4) + 7 * 4


def test_no_warning_reaches_the_caller() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        item_knn.fit(split_of(TRAIN, 5))


@pytest.fixture(scope="module")
def random_split() -> Split:
    """Readers who keep to one of four shelves most of the time, so that neighbours exist."""
    random = np.random.default_rng(5)

    def whole() -> np.ndarray:
        shelf = random.integers(0, 4) * 20 + np.arange(20)
        return np.concatenate([random.permutation(shelf)[:9], 80 + random.permutation(20)[:3]]) + 1

    rows = [random.permutation(whole()) for _ in range(60)]
    test = HeldOut(
        from_lists([row[:8] for row in rows]),
        from_lists([row[8:] for row in rows]),
        np.arange(60, dtype=np.int32),
    )
    return split_of([whole() for _ in range(200)], 100, test)


def test_ranking_agrees_with_dense_algebra(random_split: Split) -> None:
    neighbours = 7
    read = item_knn._rows(random_split.train, 100).toarray()
    length = np.sqrt(read.sum(axis=0))
    cosine = read.T @ read / np.maximum(np.outer(length, length), 1)
    np.fill_diagonal(cosine, 0)
    model = item_knn.fit(random_split, neighbours)
    similarity = model.similarity.toarray()
    for book in range(1, 101):
        kept = similarity[book] > 0
        assert kept.sum() == neighbours
        np.testing.assert_allclose(similarity[book, kept], cosine[book, kept], rtol=1e-6)
        assert cosine[book, kept].min() >= cosine[book, ~kept].max() - 1e-12

    histories = random_split.test.histories
    ranked = model.rank(histories, 10)
    scores = item_knn._rows(histories, 100).toarray() @ similarity.astype(np.float64)
    for row in range(len(histories)):
        scores[row, histories[row]] = 0
        best = np.sort(scores[row])[::-1][:10]
        np.testing.assert_allclose(scores[row, ranked[row]], best, rtol=1e-12)


def test_it_keeps_the_promise_of_a_ranker_and_beats_popularity(random_split: Split) -> None:
    training = TrainingStatistics.from_split(random_split)
    neighbours, popular = item_knn.fit(random_split), popularity.fit(random_split)
    found = evaluate(neighbours.rank, random_split.test, training, batch=16).overall
    floor = evaluate(popular.rank, random_split.test, training, batch=16).overall
    assert found["ndcg@10"] > 1.5 * floor["ndcg@10"]


def test_faulty_input_is_refused() -> None:
    with pytest.raises(ValueError, match="neighbours must be 1 or more"):
        item_knn.fit(split_of(TRAIN, 5), neighbours=0)
    with pytest.raises(ValueError, match="reader row 0 holds the id 6"):
        item_knn.fit(split_of(TRAIN, 5)).rank(from_lists([[6]]), 2)

"""Full ranking: the gates that a broken ranker meets, and exact top-k."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOut, Split
from kd_tf.evaluate import metrics
from kd_tf.evaluate.protocol import (
    Ranker,
    TrainingStatistics,
    check_ids,
    evaluate,
    top_k_excluding,
)
from kd_tf.progress import Advance, Silent

BOOKS = 30
NAMES = {
    f"{name}@{k}"
    for k in (10, 20)
    for name in (
        *("ndcg", "recall", "precision", "f1", "hit_rate", "mrr"),
        *("coverage", "diversity", "novelty"),
    )
}


@pytest.fixture(scope="module")
def split() -> Split:
    """Seven test readers over 30 books."""
    random = np.random.default_rng(3)

    def rows(readers: int, size: int) -> list[np.ndarray]:
        return [random.permutation(BOOKS)[:size] + 1 for _ in range(readers)]

    def held_out(readers: int) -> HeldOut:
        whole = rows(readers, 8)
        return HeldOut(
            from_lists([row[:5] for row in whole]),
            from_lists([row[5:] for row in whole]),
            np.arange(readers, dtype=np.int32),
        )

    return Split(
        train=from_lists(rows(12, 6)),
        validation=held_out(3),
        test=held_out(7),
        protocol="unseen-users",
        seed=3,
        books=BOOKS,
    )


@pytest.fixture(scope="module")
def training(split: Split) -> TrainingStatistics:
    return TrainingStatistics.from_split(split)


def by_id(histories: Histories, k: int) -> np.ndarray:
    """A ranker that keeps its promise: the lowest ids that are left."""
    scores = np.tile(-np.arange(BOOKS + 1, dtype=np.float32), (len(histories), 1))
    return top_k_excluding(scores, histories, k)


def test_training_statistics_count_the_training_readers_of_each_book() -> None:
    nobody = HeldOut(from_lists([]), from_lists([]), np.empty(0, np.int32))
    split = Split(from_lists([[1, 3], [3], [3, 1, 3]]), nobody, nobody, "unseen-users", 0, 4)
    training = TrainingStatistics.from_split(split)
    assert (training.books, training.readers) == (4, 3)
    assert training.popularity.tolist() == [0, 2, 0, 3, 0]
    assert training.readers_of_book.toarray().tolist() == [
        [0, 0, 0],
        [1, 0, 1],
        [0, 0, 0],
        [1, 1, 1],
        [0, 0, 0],
    ]


def test_evaluation_names_every_figure_of_results_json(
    split: Split, training: TrainingStatistics
) -> None:
    found = evaluate(by_id, split.test, training)
    assert set(found.overall) == NAMES
    assert all(type(value) is float and np.isfinite(value) for value in found.overall.values())
    assert set(found.per_reader) == {n for n in NAMES if n.split("@")[0] in metrics.PER_READER}
    for name, values in found.per_reader.items():
        assert values.shape == (7,)
        assert found.overall[name] == values.mean()


def test_evaluation_measures_the_lists_of_the_ranker(
    split: Split, training: TrainingStatistics
) -> None:
    found = evaluate(by_id, split.test, training, ks=(5, 10))
    ranked = by_id(split.test.histories, 10)
    expected = metrics.per_reader(ranked, split.test.targets, (5, 10))
    np.testing.assert_array_equal(found.per_reader["ndcg@5"], expected["ndcg@5"])
    assert found.per_reader["ndcg@10"].max() > 0
    assert found.overall["coverage@5"] == metrics.coverage(ranked[:, :5], BOOKS)
    assert found.overall["coverage@5"] < found.overall["coverage@10"]
    assert found.overall["diversity@5"] == metrics.diversity(
        ranked[:, :5], training.readers_of_book
    )
    assert found.overall["novelty@10"] == metrics.novelty(ranked, training.popularity, 12)


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_the_batch_size_changes_nothing(
    split: Split, training: TrainingStatistics, batch: int
) -> None:
    sizes = []

    def rank(histories: Histories, k: int) -> np.ndarray:
        sizes.append(len(histories))
        return by_id(histories, k)

    whole = evaluate(by_id, split.test, training)
    in_batches = evaluate(rank, split.test, training, batch=batch)
    assert in_batches.overall == whole.overall
    assert sum(sizes) == 7
    assert max(sizes) == batch


def test_an_oracle_finds_everything(split: Split, training: TrainingStatistics) -> None:
    def oracle(histories: Histories, k: int) -> np.ndarray:
        return split.test.targets.padded(k)

    found = evaluate(oracle, split.test, training).overall
    assert found["ndcg@10"] == pytest.approx(1)
    assert found["recall@10"] == 1
    assert found["precision@10"] == pytest.approx(3 / 10)


def broken(row: int, change: Callable[[np.ndarray, np.ndarray], None]) -> Ranker:
    """The good ranker, but for one reader's list."""

    def rank(histories: Histories, k: int) -> np.ndarray:
        ranked = by_id(histories, k)
        # Batches have 4 readers: row 5 is the second of the second batch.
        if len(histories) == 3:
            change(ranked[row - 4], histories[row - 4])
        return ranked

    return rank


def _from_the_history(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[-1] = history[2]


def _twice(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[7] = ranked[2]


def _beyond_the_catalogue(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[0] = BOOKS + 1


def _negative(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[-1] = -1


def _hole(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[3] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_from_the_history, "a book of its own history"),
        (_twice, "the same book twice"),
        (_beyond_the_catalogue, r"an id outside 0\.\.30"),
        (_negative, r"an id outside 0\.\.30"),
        (_hole, "a book after the padding"),
    ],
)
def test_a_ranker_that_breaks_its_promise_is_refused_with_the_reader_row(
    split: Split, training: TrainingStatistics, change, message: str
) -> None:
    with pytest.raises(ValueError, match=f"reader row 5 {message}"):
        evaluate(broken(5, change), split.test, training, batch=4)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda good: good.astype(np.int64), r"int32 \[3, 20\] for reader rows 4\.\.6, not int64"),
        (lambda good: good.astype(np.float32), "not float32"),
        (lambda good: good[:, :-1], r"not int32 \[3, 19\]"),
        (lambda good: good[:-1], r"not int32 \[2, 20\]"),
        (lambda good: good.ravel(), r"not int32 \[60\]"),
        (lambda good: good.tolist(), "not list"),
    ],
)
def test_an_answer_of_another_shape_or_type_is_refused(
    split: Split, training: TrainingStatistics, answer, message: str
) -> None:
    def rank(histories: Histories, k: int) -> np.ndarray:
        good = by_id(histories, k)
        return answer(good) if len(histories) == 3 else good

    with pytest.raises(ValueError, match=message):
        evaluate(rank, split.test, training, batch=4)


def test_an_answer_that_ends_in_zeros_is_accepted(
    split: Split, training: TrainingStatistics
) -> None:
    def nothing(histories: Histories, k: int) -> np.ndarray:
        return np.zeros((len(histories), k), np.int32)

    found = evaluate(nothing, split.test, training)
    assert set(found.overall.values()) == {0.0}


def test_no_readers_and_unknown_books_are_refused(
    split: Split, training: TrainingStatistics
) -> None:
    nobody = HeldOut(from_lists([]), from_lists([]), np.empty(0, np.int32))
    with pytest.raises(ValueError, match="no held-out readers"):
        evaluate(by_id, nobody, training)
    one = np.zeros(1, np.int32)
    for histories, targets in (([[BOOKS + 1]], [[1]]), ([[1]], [[BOOKS + 1]])):
        stranger = HeldOut(from_lists(histories), from_lists(targets), one)
        with pytest.raises(ValueError, match="reader row 0 holds the id 31"):
            evaluate(by_id, stranger, training)


class Recorder(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.total = 0
        self.done: list[int] = []

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        self.total = total
        yield lambda steps=1, note="": self.done.append(steps)


def test_progress_is_told_of_every_reader(split: Split, training: TrainingStatistics) -> None:
    recorder = Recorder()
    evaluate(by_id, split.test, training, batch=4, progress=recorder)
    assert recorder.total == 7
    assert recorder.done == [4, 3]


def test_readers_of_book_is_sparse(training: TrainingStatistics) -> None:
    assert sparse.issparse(training.readers_of_book)
    assert training.readers_of_book.nnz == 12 * 6

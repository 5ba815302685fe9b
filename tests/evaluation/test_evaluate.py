"""Evaluation: the metrics, and the checks that reject a broken model."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy import sparse

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.evaluation import evaluate as evaluation
from kd_tf.evaluation.candidates import SampledCandidates
from kd_tf.evaluation.evaluate import (
    RankFn,
    TrainingStatistics,
    evaluate,
    evaluate_lists,
    merge_folds,
)
from kd_tf.evaluation.metrics import beyond_accuracy
from kd_tf.evaluation.metrics.ranking import RANKING_METRICS, compute_ranking_metrics
from kd_tf.evaluation.top_k import select_unseen_top_k
from kd_tf.progress import Advance, NullProgress

ITEMS = 30
OF_USERS = {f"{name}@{k}" for k in (10, 20) for name in (*RANKING_METRICS, "serendipity")}
OF_LISTS = {f"{n}@{k}" for k in (10, 20) for n in ("coverage", "gini", "diversity", "novelty")}


@pytest.fixture(scope="module")
def split() -> Split:
    """Seven test users over 30 items."""
    random = np.random.default_rng(3)

    def rows(users: int, size: int) -> list[np.ndarray]:
        return [random.permutation(ITEMS)[:size] + 1 for _ in range(users)]

    def held_out(users: int) -> HeldOutSet:
        whole = rows(users, 8)
        return HeldOutSet(
            from_lists([row[:5] for row in whole]),
            from_lists([row[5:] for row in whole]),
            np.arange(users, dtype=np.int32),
        )

    return Split(
        train=from_lists(rows(12, 6)),
        train_users=np.arange(100, 112, dtype=np.int32),
        validation=held_out(3),
        test=held_out(7),
        protocol="unseen-users",
        seed=3,
        num_items=ITEMS,
    )


@pytest.fixture(scope="module")
def training(split: Split) -> TrainingStatistics:
    return TrainingStatistics.from_split(split)


def scores_by_id(histories: Histories) -> np.ndarray:
    return np.tile(-np.arange(ITEMS + 1, dtype=np.float32), (len(histories), 1))


def by_id(histories: Histories, k: int) -> np.ndarray:
    """A ranker that keeps its promise: the lowest ids that are left."""
    return select_unseen_top_k(scores_by_id(histories), histories, k)


def test_training_statistics_count_the_training_users_of_each_item() -> None:
    nobody = HeldOutSet(from_lists([]), from_lists([]), np.empty(0, np.int32))
    split = Split(
        from_lists([[1, 3], [3], [3, 1, 3]]), np.arange(3), nobody, nobody, "unseen-users", 0, 4
    )
    training = TrainingStatistics.from_split(split)
    assert (training.num_items, training.num_users) == (4, 3)
    assert training.popularity.tolist() == [0, 2, 0, 3, 0]
    assert training.item_user_matrix.toarray().tolist() == [
        [0, 0, 0],
        [1, 0, 1],
        [0, 0, 0],
        [1, 1, 1],
        [0, 0, 0],
    ]


def test_every_figure_has_a_name_and_is_a_number(
    split: Split, training: TrainingStatistics
) -> None:
    scored = evaluate(scores_by_id, split.test, training)
    listed = evaluate_lists(by_id, split.test, training)
    assert set(scored.per_user) == {*OF_USERS, "auc"}
    assert set(listed.per_user) == OF_USERS
    for actual in (scored, listed):
        assert set(actual.overall) == {*actual.per_user, *OF_LISTS}
        assert all(type(value) is float and np.isfinite(value) for value in actual.overall.values())
        for name, values in actual.per_user.items():
            assert values.shape == (7,)
            assert actual.overall[name] == values.mean()
        assert set(actual.compute_intervals()) == set(actual.per_user)


def test_scores_and_the_lists_made_of_them_have_the_same_figures(
    split: Split, training: TrainingStatistics
) -> None:
    scored = evaluate(scores_by_id, split.test, training, ks=(5, 10))
    listed = evaluate_lists(by_id, split.test, training, ks=(5, 10))
    assert {n: v for n, v in scored.overall.items() if n != "auc"} == listed.overall
    assert scored.slices == listed.slices


def test_the_figures_are_those_of_the_metrics(split: Split, training: TrainingStatistics) -> None:
    actual = evaluate(scores_by_id, split.test, training, ks=(5, 10))
    ranked = by_id(split.test.histories, 10)
    expected = compute_ranking_metrics(ranked, split.test.targets, (5, 10))
    np.testing.assert_array_equal(actual.per_user["ndcg@5"], expected["ndcg@5"])
    assert actual.per_user["ndcg@10"].max() > 0
    assert actual.overall["coverage@5"] == beyond_accuracy.compute_coverage(ranked[:, :5], ITEMS)
    assert actual.overall["coverage@5"] < actual.overall["coverage@10"]
    assert actual.overall["gini@10"] == beyond_accuracy.compute_gini(ranked, ITEMS)
    assert actual.overall["diversity@5"] == beyond_accuracy.compute_diversity(
        ranked[:, :5], training.item_user_matrix
    )
    assert actual.overall["novelty@10"] == beyond_accuracy.compute_novelty(
        ranked, training.popularity, 12
    )


def test_a_slice_is_measured_on_its_users_and_items_alone(
    split: Split, training: TrainingStatistics
) -> None:
    actual = evaluate(scores_by_id, split.test, training)
    assert actual.slices["warm-users"].num_users == 7
    assert "cold-users" not in actual.slices
    for name in RANKING_METRICS:
        mean = actual.slices["warm-users"].metrics[f"{name}@10"]
        assert mean == pytest.approx(actual.overall[f"{name}@10"])


def test_how_many_are_scored_at_once_changes_nothing(
    split: Split, training: TrainingStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def score(histories: Histories) -> np.ndarray:
        sizes.append(len(histories))
        return scores_by_id(histories)

    whole = evaluate(scores_by_id, split.test, training)
    monkeypatch.setattr(evaluation, "MAX_SCORES_IN_MEMORY", 3 * (ITEMS + 1))
    parts = evaluate(score, split.test, training)
    assert parts.overall == whole.overall
    assert sizes == [3, 3, 1]


def also_reading(held_out: HeldOutSet) -> HeldOutSet:
    """The same users, who are known to have read the two lowest other items as well."""
    more = []
    for row in range(len(held_out.histories)):
        known = {*held_out.histories[row].tolist(), *held_out.targets[row].tolist()}
        more.append([item for item in range(1, ITEMS + 1) if item not in known][:2])
    return HeldOutSet(held_out.histories, held_out.targets, held_out.users, from_lists(more))


def test_items_that_are_known_to_be_read_are_in_no_list_and_move_others_up(
    split: Split, training: TrainingStatistics
) -> None:
    test = also_reading(split.test)
    assert test.seen_items is not None
    known = from_lists(
        [[*test.histories[row], *test.seen_items[row]] for row in range(len(test.users))]
    )
    expected = compute_ranking_metrics(by_id(known, 10), test.targets, (10,))
    for actual in (
        evaluate(scores_by_id, test, training, ks=(10,)),
        evaluate_lists(by_id, test, training, ks=(10,)),
    ):
        for name, values in expected.items():
            np.testing.assert_array_equal(actual.per_user[name], values)
    without = evaluate(scores_by_id, split.test, training, ks=(10,))
    assert actual.overall["ndcg@10"] > without.overall["ndcg@10"]


def test_sampled_candidates_are_ranked_among_themselves(
    split: Split, training: TrainingStatistics
) -> None:
    sample = SampledCandidates(4, seed=1)
    actual = evaluate(scores_by_id, split.test, training, candidates=sample)
    samples = sample.draw(split.test, ITEMS)
    for row in range(7):
        targets = set(split.test.targets[row].tolist())
        ranked = sorted({*targets, *samples[row].tolist()})
        hits = [item in targets for item in ranked]
        assert actual.per_user["recall@10"][row] == 1, "all seven candidates stand in the list"
        first = hits.index(True)
        assert actual.per_user["mrr@10"][row] == 1 / (first + 1)
        pairs = sum(a and not b for at, a in enumerate(hits) for b in hits[at:])
        assert actual.per_user["auc"][row] == pytest.approx(pairs / (3 * 4))
        missed = 3 - sum(hits[:3])
        assert actual.per_user["accuracy"][row] == pytest.approx(1 - 2 * missed / 7)


def test_a_perfect_model_has_an_area_of_one_and_a_constant_one_of_a_half(
    split: Split, training: TrainingStatistics
) -> None:
    def perfect(histories: Histories) -> np.ndarray:
        return split.test.targets.to_csr_matrix(ITEMS).toarray()

    actual = evaluate(perfect, split.test, training)
    assert actual.overall["auc"] == 1
    assert actual.overall["ndcg@10"] == pytest.approx(1)
    constant = evaluate(lambda h: np.zeros((len(h), ITEMS + 1), np.float32), split.test, training)
    assert constant.overall["auc"] == 0.5


def test_folds_are_merged_user_by_user(split: Split, training: TrainingStatistics) -> None:
    one = evaluate(scores_by_id, split.test, training)
    other = evaluate(scores_by_id, split.validation, training)
    both = merge_folds([one, other])
    np.testing.assert_array_equal(
        both.per_user["ndcg@10"],
        np.concatenate([one.per_user["ndcg@10"], other.per_user["ndcg@10"]]),
    )
    assert both.overall["ndcg@10"] == pytest.approx(
        (7 * one.overall["ndcg@10"] + 3 * other.overall["ndcg@10"]) / 10
    )
    assert both.overall["coverage@10"] == pytest.approx(
        (one.overall["coverage@10"] + other.overall["coverage@10"]) / 2
    )
    assert both.slices["warm-users"].num_users == 10
    assert both.slices["warm-users"].metrics["ndcg@10"] == pytest.approx(both.overall["ndcg@10"])
    assert merge_folds([one]) is one


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_the_batch_size_changes_nothing(
    split: Split, training: TrainingStatistics, batch: int
) -> None:
    sizes = []

    def rank(histories: Histories, k: int) -> np.ndarray:
        sizes.append(len(histories))
        return by_id(histories, k)

    whole = evaluate_lists(by_id, split.test, training)
    in_batches = evaluate_lists(rank, split.test, training, batch_size=batch)
    assert in_batches.overall == whole.overall
    assert sum(sizes) == 7
    assert max(sizes) == batch


def test_an_oracle_finds_everything(split: Split, training: TrainingStatistics) -> None:
    def oracle(histories: Histories, k: int) -> np.ndarray:
        return split.test.targets.pad(k)

    actual = evaluate_lists(oracle, split.test, training).overall
    assert actual["ndcg@10"] == pytest.approx(1)
    assert actual["recall@10"] == 1
    assert actual["precision@10"] == pytest.approx(3 / 10)


def broken(row: int, change: Callable[[np.ndarray, np.ndarray], None]) -> RankFn:
    """The good ranker, but for one user's list."""

    def rank(histories: Histories, k: int) -> np.ndarray:
        ranked = by_id(histories, k)
        # Batches have 4 users: row 5 is the second of the second batch.
        if len(histories) == 3:
            change(ranked[row - 4], histories[row - 4])
        return ranked

    return rank


def _from_the_history(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[-1] = history[2]


def _twice(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[7] = ranked[2]


def _beyond_the_catalog(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[0] = ITEMS + 1


def _negative(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[-1] = -1


def _hole(ranked: np.ndarray, history: np.ndarray) -> None:
    ranked[3] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_from_the_history, "an item of the history"),
        (_twice, "an item twice"),
        (_beyond_the_catalog, r"an id outside 0\.\.30"),
        (_negative, r"an id outside 0\.\.30"),
        (_hole, "an item after the padding"),
    ],
)
def test_a_ranker_that_breaks_its_promise_is_refused_with_the_user_row(
    split: Split, training: TrainingStatistics, change, message: str
) -> None:
    with pytest.raises(ValueError, match=f"{message} for user row 5"):
        evaluate_lists(broken(5, change), split.test, training, batch_size=4)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda good: good.astype(np.int64), r"int32 \[3, 20\] for user rows 4\.\.6, not int64"),
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
        evaluate_lists(rank, split.test, training, batch_size=4)


def test_an_answer_that_ends_in_zeros_is_accepted(
    split: Split, training: TrainingStatistics
) -> None:
    def nothing(histories: Histories, k: int) -> np.ndarray:
        return np.zeros((len(histories), k), np.int32)

    actual = evaluate_lists(nothing, split.test, training)
    assert set(actual.overall.values()) == {0.0}


def test_nobody_has_no_metrics(training: TrainingStatistics) -> None:
    def never(*_: object) -> np.ndarray:
        raise AssertionError("there is nobody to score")

    for measure in (evaluate, evaluate_lists):
        evaluation = measure(never, HeldOutSet.empty(), training)
        assert (evaluation.overall, evaluation.per_user, evaluation.slices) == ({}, {}, {})
        assert evaluation.num_users == 0
        assert evaluation.compute_intervals() == {}


def test_a_fold_without_users_does_not_count(split: Split, training: TrainingStatistics) -> None:
    nobody = evaluate_lists(by_id, HeldOutSet.empty(), training)
    whole = evaluate_lists(by_id, split.test, training)
    merged = merge_folds([nobody, whole, nobody])
    assert merged.overall == whole.overall
    assert merge_folds([nobody, nobody]).overall == {}


def test_one_user_has_metrics_but_no_interval(split: Split, training: TrainingStatistics) -> None:
    rows = np.zeros(1, np.int64)
    test = split.test
    single = HeldOutSet(test.histories.take(rows), test.targets.take(rows), test.users[rows])
    evaluation = evaluate_lists(by_id, single, training)
    assert evaluation.overall["ndcg@10"] == evaluation.per_user["ndcg@10"][0]
    assert evaluation.num_users == 1
    assert evaluation.compute_intervals() == {}
    assert evaluate_lists(by_id, test, training).compute_intervals()


def test_unknown_items_are_refused(training: TrainingStatistics) -> None:
    one = np.zeros(1, np.int32)
    for histories, targets in (([[ITEMS + 1]], [[1]]), ([[1]], [[ITEMS + 1]])):
        stranger = HeldOutSet(from_lists(histories), from_lists(targets), one)
        with pytest.raises(ValueError, match="user row 0 has the id 31"):
            evaluate_lists(by_id, stranger, training)


class Recorder(NullProgress):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.total = 0
        self.done: list[int] = []

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        self.total = total
        yield lambda steps=1, note="": self.done.append(steps)


def test_progress_counts_every_user(split: Split, training: TrainingStatistics) -> None:
    recorder = Recorder()
    evaluate_lists(by_id, split.test, training, batch_size=4, progress=recorder)
    assert recorder.total == 7
    assert recorder.done == [4, 3]


def test_users_of_item_is_sparse(training: TrainingStatistics) -> None:
    assert sparse.issparse(training.item_user_matrix)
    assert training.item_user_matrix.nnz == 12 * 6

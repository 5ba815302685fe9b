"""The metrics against hand-computed cases, the laws they obey, and ranx."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.data.histories import Histories, from_lists
from kd_tf.evaluate import metrics


def lists(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


# The book 7 at rank 1, 9 at rank 3; three held out, so at k = 4 three could have been found.
RANKED = lists([7, 1, 9, 2], [1, 2, 3, 4], [0, 0, 0, 0])
TARGETS = from_lists([[9, 7, 5], [4], [1]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ndcg@4", [(1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2), 1 / math.log2(5), 0]),
        ("ndcg@2", [1 / (1 + 1 / math.log2(3)), 0, 0]),
        ("recall@4", [2 / 3, 1, 0]),
        ("recall@2", [1 / 2, 0, 0]),  # of three held out only two fit: the cap
        ("precision@4", [2 / 4, 1 / 4, 0]),
        ("precision@2", [1 / 2, 0, 0]),
        ("f1@4", [2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2), 2 * 1 * (1 / 4) / (1 + 1 / 4), 0]),
        ("hit_rate@4", [1, 1, 0]),
        ("hit_rate@2", [1, 0, 0]),
        ("mrr@4", [1, 1 / 4, 0]),
        ("mrr@2", [1, 0, 0]),
    ],
)
def test_per_reader_metrics_match_the_hand_computed_case(name: str, expected: list[float]) -> None:
    measured = metrics.per_reader(RANKED, TARGETS, (2, 4))
    np.testing.assert_allclose(measured[name], expected, atol=1e-15)


def test_mrr_counts_the_first_hit_only() -> None:
    measured = metrics.per_reader(lists([1, 5, 6]), from_lists([[5, 6]]), (3,))
    assert measured["mrr@3"].tolist() == [1 / 2]


def test_a_hit_of_another_reader_is_no_hit() -> None:
    measured = metrics.per_reader(lists([1, 2], [3, 4]), from_lists([[3, 4], [1, 2]]), (2,))
    assert measured["hit_rate@2"].tolist() == [0, 0]


RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
relevant, run, names = json.load(sys.stdin)
found = evaluate(Qrels(relevant), Run(run), names, return_mean=False)
json.dump({name: values.tolist() for name, values in found.items()}, sys.stdout)
"""


def test_metrics_agree_with_ranx() -> None:
    random = np.random.default_rng(1)
    readers, books, k = 60, 80, 20
    ranked = np.stack([random.permutation(books)[:k] + 1 for _ in range(readers)]).astype(np.int32)
    # At most 10 held out: where they are more than k, ranx's recall is not capped as ours is.
    held_out = [random.permutation(books)[: random.integers(1, 11)] + 1 for _ in range(readers)]
    measured = metrics.per_reader(ranked, from_lists(held_out), (10, 20))
    names = list(measured)
    assert len(names) == 12

    # ranx sorts by the readers' names. In a process of its own without Numba's compiler it takes
    # two seconds instead of a minute.
    relevant = {f"{r:03}": {str(b): 1 for b in row} for r, row in enumerate(held_out)}
    run = {
        f"{r:03}": {str(b): float(k - place) for place, b in enumerate(row)}
        for r, row in enumerate(ranked)
    }
    answer = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps([relevant, run, names]),
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    oracle = json.loads(answer.stdout)
    for name in names:
        np.testing.assert_allclose(measured[name], oracle[name], atol=1e-9, err_msg=name)
        assert len(np.unique(measured[name])) > 1, name


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Histories, int]:
    """Padded lists without duplicates, targets, and the number of books."""
    books = draw(st.integers(2, 12))
    readers = draw(st.integers(1, 6))
    width = draw(st.integers(1, 8))
    some_books = st.lists(st.integers(1, books), unique=True, max_size=width)
    ranked = np.zeros((readers, width), np.int32)
    for row in range(readers):
        shown = draw(some_books)
        ranked[row, : len(shown)] = shown
    held_out = draw(
        st.lists(
            st.lists(st.integers(1, books), unique=True, min_size=1),
            min_size=readers,
            max_size=readers,
        )
    )
    return ranked, from_lists(held_out), books


@settings(deadline=None)
@given(cases())
def test_per_reader_metrics_agree_with_their_definition_in_plain_python(
    case: tuple[np.ndarray, Histories, int],
) -> None:
    ranked, targets, _ = case
    k = ranked.shape[1]
    measured = metrics.per_reader(ranked, targets, (k,))
    for row in range(len(ranked)):
        held_out = set(targets[row].tolist())
        places = [p for p, book in enumerate(ranked[row].tolist(), 1) if book in held_out]
        most = min(k, len(held_out))
        precision, recall = len(places) / k, len(places) / most
        expected = {
            "ndcg": sum(1 / math.log2(p + 1) for p in places)
            / sum(1 / math.log2(p + 1) for p in range(1, most + 1)),
            "recall": recall,
            "precision": precision,
            "f1": 2 * precision * recall / (precision + recall) if places else 0,
            "hit_rate": float(bool(places)),
            "mrr": 1 / places[0] if places else 0,
        }
        for name, value in expected.items():
            assert measured[f"{name}@{k}"][row] == pytest.approx(value, abs=1e-12), name


@settings(deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_readers_does_not_change_any_mean(case, random) -> None:
    ranked, targets, books = case
    order = np.array(random.sample(range(len(ranked)), len(ranked)))
    k = ranked.shape[1]
    before = metrics.per_reader(ranked, targets, (k,))
    after = metrics.per_reader(ranked[order], targets.take(order), (k,))
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values[order])
    popularity = np.arange(books + 1)
    assert metrics.coverage(ranked, books) == metrics.coverage(ranked[order], books)
    assert metrics.novelty(ranked, popularity, books) == pytest.approx(
        metrics.novelty(ranked[order], popularity, books)
    )


@settings(deadline=None)
@given(cases(), st.data())
def test_turning_a_miss_into_a_hit_never_lowers_a_metric(case, data) -> None:
    ranked, targets, _ = case
    row = data.draw(st.integers(0, len(ranked) - 1))
    unused = sorted(set(targets[row].tolist()) - set(ranked[row].tolist()))
    misses = np.flatnonzero(~np.isin(ranked[row], targets[row]))
    if not unused or not len(misses):
        return
    better = ranked.copy()
    better[row, data.draw(st.sampled_from(misses.tolist()))] = data.draw(st.sampled_from(unused))
    ks = range(1, ranked.shape[1] + 1)
    before = metrics.per_reader(ranked, targets, ks)
    after = metrics.per_reader(better, targets, ks)
    for name, values in before.items():
        assert (after[name] >= values).all(), name
    k = ranked.shape[1]
    assert after[f"ndcg@{k}"][row] > before[f"ndcg@{k}"][row]


@settings(deadline=None)
@given(cases())
def test_a_perfect_ranking_gives_one_and_nothing_gives_more(case) -> None:
    ranked, targets, _ = case
    k = ranked.shape[1]
    for values in metrics.per_reader(ranked, targets, (k,)).values():
        assert (values >= 0).all()
        assert (values <= 1).all()
    perfect = np.zeros_like(ranked)
    for row in range(len(ranked)):
        found = targets[row][:k]
        perfect[row, : len(found)] = found
    measured = metrics.per_reader(perfect, targets, (k,))
    for name in ("ndcg", "recall", "hit_rate", "mrr"):
        assert (measured[f"{name}@{k}"] == 1).all(), name


@settings(deadline=None)
@given(cases(), st.integers(1, 5))
def test_padding_never_counts(case, padding: int) -> None:
    ranked, targets, books = case
    k = ranked.shape[1]
    wider = np.pad(ranked, ((0, 0), (0, padding)))
    before = metrics.per_reader(ranked, targets, (k,))
    after = metrics.per_reader(wider, targets, (k, k + padding))
    for name in ("hit_rate", "mrr"):
        np.testing.assert_array_equal(after[f"{name}@{k + padding}"], before[f"{name}@{k}"])
    np.testing.assert_allclose(
        after[f"precision@{k + padding}"] * (k + padding), before[f"precision@{k}"] * k
    )
    # Book b was read by the readers b and above, book 0 by none.
    table = np.triu(np.ones((books + 1, books)))
    table[0] = 0
    read = sparse.csr_array(table)
    popularity = np.diff(read.indptr)
    assert metrics.coverage(wider, books) == metrics.coverage(ranked, books)
    for one, other in (
        (metrics.novelty(wider, popularity, books), metrics.novelty(ranked, popularity, books)),
        (metrics.diversity(wider, read), metrics.diversity(ranked, read)),
    ):
        assert one == pytest.approx(other, abs=1e-12)


def test_lists_of_padding_only_have_finite_figures() -> None:
    nothing = lists([0, 0], [0, 0])
    read = sparse.csr_array(np.ones((4, 3)))
    assert metrics.coverage(nothing, 3) == 0
    assert metrics.diversity(nothing, read) == 0
    assert metrics.novelty(nothing, np.array([0, 3, 3, 3]), 3) == 0


def test_coverage_is_the_share_of_the_catalogue_in_any_list() -> None:
    assert metrics.coverage(lists([1, 2, 0], [2, 5, 1]), 10) == 3 / 10


# Four training readers; book 1: {0, 1}, 2: {0, 1, 2, 3}, 3: {2}, 4: nobody.
READ = sparse.csr_array(
    np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]], float)
)
POPULARITY = np.array([0, 2, 4, 1, 0])


def test_diversity_matches_the_hand_computed_case() -> None:
    cosine_12, cosine_13, cosine_23 = 2 / math.sqrt(2 * 4), 0, 1 / math.sqrt(4 * 1)
    first = 1 - (cosine_12 + cosine_13 + cosine_23) / 3
    # The third list has no pair and is left out.
    ranked = lists([1, 2, 3], [1, 2, 0], [1, 0, 0])
    assert metrics.diversity(ranked, READ) == pytest.approx((first + 1 - cosine_12) / 2, abs=1e-12)


def test_a_book_that_nobody_read_is_unlike_every_other() -> None:
    assert metrics.diversity(lists([4, 2]), READ) == 1
    assert metrics.diversity(lists([1, 2, 4]), READ) == pytest.approx(
        1 - 2 / math.sqrt(8) / 3, abs=1e-12
    )


def test_books_with_the_same_readers_have_no_diversity() -> None:
    read = sparse.csr_array(np.array([[0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]], float))
    assert metrics.diversity(lists([1, 2, 3]), read) == pytest.approx(0, abs=1e-12)


def test_diversity_agrees_with_all_pairs_over_more_lists_than_a_block() -> None:
    random = np.random.default_rng(2)
    read = (random.random((31, 40)) < 0.2).astype(float)
    read[0] = 0
    ranked = np.stack([random.permutation(30)[:5] + 1 for _ in range(300)]).astype(np.int32)
    ranked[::7, 3:] = 0
    length = np.sqrt(read.sum(axis=1))
    cosine = read @ read.T / np.maximum(np.outer(length, length), 1)
    expected = []
    for row in ranked:
        shown = row[row > 0]
        pairs = [1 - cosine[a, b] for i, a in enumerate(shown) for b in shown[:i]]
        expected.append(np.mean(pairs))
    measured = metrics.diversity(ranked, sparse.csr_array(read))
    assert measured == pytest.approx(np.mean(expected), abs=1e-12)


def test_diversity_of_many_readers_is_that_of_a_sample_which_never_changes() -> None:
    same, apart = [1, 2], [1, 4]
    readers = 4 * metrics.DIVERSITY_READERS
    ranked = lists(*([same, apart] * (readers // 2)))
    first = metrics.diversity(ranked, READ)
    assert first == metrics.diversity(ranked, READ)
    everyone = (1 - 2 / math.sqrt(8) + 1) / 2
    assert first != everyone
    assert first == pytest.approx(everyone, abs=0.05)


def test_novelty_matches_the_hand_computed_case() -> None:
    # Bits: book 1 -log2(2/4) = 1, book 2 -log2(4/4) = 0, book 3 -log2(1/4) = 2.
    ranked = lists([1, 2, 3], [3, 0, 0], [0, 0, 0])
    assert metrics.novelty(ranked, POPULARITY, 4) == pytest.approx((1 + 2) / 2, abs=1e-12)


def test_a_book_that_nobody_read_is_the_most_novel_and_finite() -> None:
    unread = metrics.novelty(lists([4]), POPULARITY, 4)
    assert unread == pytest.approx(math.log2(5), abs=1e-12)
    assert unread > metrics.novelty(lists([3]), POPULARITY, 4)


@pytest.mark.parametrize(
    ("ranked", "targets", "ks", "message"),
    [
        (lists([1, 2], [3, 3]), [[1], [1]], (2,), "reader row 1 .* same book twice"),
        (lists([5, 2, 5]), [[1]], (2,), "reader row 0 .* same book twice"),
        (lists([1, 2], [3, 4]), [[1]], (2,), "2 lists, but the targets of 1"),
        (lists([1, 2], [3, 4]), [[1], []], (2,), "reader row 1 has no held-out book"),
        (lists([1, 2], [3, 4]), [[1], [2, 4, 2]], (2,), "book 2 is held out twice .* row 1"),
        (lists([1, 0], [3, 4]), [[1], [4, 0]], (2,), "held-out ids must be 1 or above, not 0"),
        (lists([1, 2]), [[-1]], (2,), "held-out ids must be 1 or above, not -1"),
        (lists([1, 2]), [[1]], (3,), "cut-offs must be in 1..2"),
        (lists([1, 2]), [[1]], (0, 1), "cut-offs must be in 1..2"),
        (lists([1, -1]), [[1]], (2,), "0 or above"),
        (np.array([[1.0, 2.0]]), [[1]], (2,), "must be int32"),
        (np.array([1, 2], np.int32), [[1]], (2,), "must be int32"),
    ],
)
def test_faulty_input_is_refused(ranked, targets, ks, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.per_reader(ranked, from_lists(targets), ks)


@settings(deadline=None)
@given(st.integers(1, 5))
def test_padding_may_stand_more_than_once(padding: int) -> None:
    ranked = np.pad(lists([3]), ((0, 0), (0, padding)))
    assert not metrics.has_duplicate(ranked).any()

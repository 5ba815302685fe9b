"""Metrics of ranked lists against hand-computed cases, the laws they obey, and ranx."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.histories import Histories, from_lists
from kd_tf.evaluation.metrics.ranking import (
    RANKING_METRICS,
    compute_ranking_metrics,
    has_duplicates,
)
from kd_tf.evaluation.top_k import select_unseen_top_k


def lists(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


# The item 7 at rank 1, 9 at rank 3; three held out, so at k = 4 three could have been found.
RANKED = lists([7, 1, 9, 2], [1, 2, 3, 4], [0, 0, 0, 0])
TARGETS = from_lists([[9, 7, 5], [4], [1]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ndcg@4", [(1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2), 1 / math.log2(5), 0]),
        ("ndcg@2", [1 / (1 + 1 / math.log2(3)), 0, 0]),
        ("recall@4", [2 / 3, 1, 0]),
        ("recall@2", [1 / 3, 0, 0]),
        ("recall_capped@4", [2 / 3, 1, 0]),
        ("recall_capped@2", [1 / 2, 0, 0]),  # of three held out only two fit
        ("precision@4", [2 / 4, 1 / 4, 0]),
        ("precision@2", [1 / 2, 0, 0]),
        ("f1@4", [2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2), 2 * 1 * (1 / 4) / (1 + 1 / 4), 0]),
        ("f1@2", [2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2), 0, 0]),
        ("hit_rate@4", [1, 1, 0]),
        ("hit_rate@2", [1, 0, 0]),
        ("mrr@4", [1, 1 / 4, 0]),
        ("mrr@2", [1, 0, 0]),
        ("map@4", [(1 + 2 / 3) / 3, 1 / 4, 0]),
        ("map@2", [1 / 3, 0, 0]),
    ],
)
def test_per_user_metrics_match_the_hand_computed_case(name: str, expected: list[float]) -> None:
    measured = compute_ranking_metrics(RANKED, TARGETS, (2, 4))
    np.testing.assert_allclose(measured[name], expected, atol=1e-15)


def test_mrr_counts_the_first_hit_only() -> None:
    measured = compute_ranking_metrics(lists([1, 5, 6]), from_lists([[5, 6]]), (3,))
    assert measured["mrr@3"].tolist() == [1 / 2]


def test_a_hit_of_another_user_is_no_hit() -> None:
    measured = compute_ranking_metrics(lists([1, 2], [3, 4]), from_lists([[3, 4], [1, 2]]), (2,))
    assert measured["hit_rate@2"].tolist() == [0, 0]


RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
relevant, run, names = json.load(sys.stdin)
found = evaluate(Qrels(relevant), Run(run), names, return_mean=False)
json.dump({name: values.tolist() for name, values in found.items()}, sys.stdout)
"""


def ranx(relevant: dict, run: dict, names: list[str]) -> dict[str, list[float]]:
    """ranx sorts by the users' names. In a process of its own without Numba's compiler it takes
    two seconds instead of a minute."""
    answer = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps([relevant, run, names]),
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


@pytest.mark.slow
def test_metrics_agree_with_ranx_also_where_scores_tie() -> None:
    """ranx leaves open who stands first of equals: it is given our order, by the lower id."""
    random = np.random.default_rng(1)
    users, items, k = 60, 80, 20
    scores = random.integers(0, 8, (users, items + 1)).astype(np.float32)
    ranked = select_unseen_top_k(scores, from_lists([[]] * users), k)
    for row in range(users):
        by_score_then_id = sorted(range(1, items + 1), key=lambda b: (-scores[row, b], b))[:k]
        assert ranked[row].tolist() == by_score_then_id
        assert len(set(scores[row, ranked[row]].tolist())) < k, "scores tie within the list"
    held_out = [random.permutation(items)[: random.integers(1, 31)] + 1 for _ in range(users)]
    measured = compute_ranking_metrics(ranked, from_lists(held_out), (5, 10, 20))
    names = [name for name in measured if not name.startswith("recall_capped")]
    assert len(names) == 3 * (len(RANKING_METRICS) - 1)

    relevant = {f"{r:03}": {str(b): 1 for b in row} for r, row in enumerate(held_out)}
    run = {
        f"{r:03}": {str(b): float(k - place) for place, b in enumerate(row)}
        for r, row in enumerate(ranked)
    }
    oracle = ranx(relevant, run, names)
    for name in names:
        np.testing.assert_allclose(measured[name], oracle[name], atol=1e-9, err_msg=name)
        assert len(np.unique(measured[name])) > 1, name
    for k in (5, 10, 20):
        fits = np.minimum(k, [len(row) for row in held_out])
        capped = np.array(oracle[f"recall@{k}"]) * [len(row) for row in held_out] / fits
        np.testing.assert_allclose(measured[f"recall_capped@{k}"], capped, atol=1e-9)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Histories, int]:
    """Padded lists without duplicates, targets, and the number of items."""
    items = draw(st.integers(2, 12))
    users = draw(st.integers(1, 6))
    width = draw(st.integers(1, 8))
    some_items = st.lists(st.integers(1, items), unique=True, max_size=width)
    ranked = np.zeros((users, width), np.int32)
    for row in range(users):
        shown = draw(some_items)
        ranked[row, : len(shown)] = shown
    held_out = draw(
        st.lists(
            st.lists(st.integers(1, items), unique=True, min_size=1),
            min_size=users,
            max_size=users,
        )
    )
    return ranked, from_lists(held_out), items


@settings(deadline=None)
@given(cases())
def test_per_user_metrics_agree_with_their_definition_in_plain_python(
    case: tuple[np.ndarray, Histories, int],
) -> None:
    ranked, targets, _ = case
    k = ranked.shape[1]
    measured = compute_ranking_metrics(ranked, targets, (k,))
    for row in range(len(ranked)):
        held_out = set(targets[row].tolist())
        places = [p for p, item in enumerate(ranked[row].tolist(), 1) if item in held_out]
        most = min(k, len(held_out))
        precision, recall = len(places) / k, len(places) / len(held_out)
        expected = {
            "ndcg": sum(1 / math.log2(p + 1) for p in places)
            / sum(1 / math.log2(p + 1) for p in range(1, most + 1)),
            "recall": recall,
            "recall_capped": len(places) / most,
            "map": sum(n / p for n, p in enumerate(places, 1)) / len(held_out),
            "precision": precision,
            "f1": 2 * precision * recall / (precision + recall) if places else 0,
            "hit_rate": float(bool(places)),
            "mrr": 1 / places[0] if places else 0,
        }
        assert expected.keys() == set(RANKING_METRICS)
        for name, value in expected.items():
            assert measured[f"{name}@{k}"][row] == pytest.approx(value, abs=1e-12), name


@settings(deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_users_orders_the_figures_alike(case, random) -> None:
    ranked, targets, _items = case
    order = np.array(random.sample(range(len(ranked)), len(ranked)))
    k = ranked.shape[1]
    before = compute_ranking_metrics(ranked, targets, (k,))
    after = compute_ranking_metrics(ranked[order], targets.take(order), (k,))
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values[order])


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
    before = compute_ranking_metrics(ranked, targets, ks)
    after = compute_ranking_metrics(better, targets, ks)
    for name, values in before.items():
        assert (after[name] >= values).all(), name
    k = ranked.shape[1]
    assert after[f"ndcg@{k}"][row] > before[f"ndcg@{k}"][row]


@settings(deadline=None)
@given(cases())
def test_a_perfect_ranking_gives_one_and_nothing_gives_more(case) -> None:
    ranked, targets, _ = case
    k = ranked.shape[1]
    for values in compute_ranking_metrics(ranked, targets, (k,)).values():
        assert (values >= 0).all()
        assert (values <= 1).all()
    perfect = np.zeros_like(ranked)
    for row in range(len(ranked)):
        actual = targets[row][:k]
        perfect[row, : len(actual)] = actual
    measured = compute_ranking_metrics(perfect, targets, (k,))
    for name in ("ndcg", "recall_capped", "hit_rate", "mrr"):
        assert (measured[f"{name}@{k}"] == 1).all(), name


@settings(deadline=None)
@given(cases(), st.integers(1, 5))
def test_padding_never_counts(case, padding: int) -> None:
    ranked, targets, _items = case
    k = ranked.shape[1]
    wider = np.pad(ranked, ((0, 0), (0, padding)))
    before = compute_ranking_metrics(ranked, targets, (k,))
    after = compute_ranking_metrics(wider, targets, (k, k + padding))
    for name in ("hit_rate", "mrr"):
        np.testing.assert_array_equal(after[f"{name}@{k + padding}"], before[f"{name}@{k}"])
    np.testing.assert_allclose(
        after[f"precision@{k + padding}"] * (k + padding), before[f"precision@{k}"] * k
    )


@settings(deadline=None)
@given(cases())
def test_longer_lists_never_find_less(case) -> None:
    ranked, targets, _ = case
    ks = range(1, ranked.shape[1] + 1)
    measured = compute_ranking_metrics(ranked, targets, ks)
    for k in ks[1:]:
        for name in ("recall", "hit_rate", "mrr", "map"):
            assert (measured[f"{name}@{k}"] >= measured[f"{name}@{k - 1}"]).all(), name
        assert (measured[f"recall_capped@{k}"] >= measured[f"recall@{k}"]).all()


@pytest.mark.parametrize(
    ("ranked", "targets", "ks", "message"),
    [
        (lists([1, 2], [3, 3]), [[1], [1]], (2,), "user row 1 has an item twice"),
        (lists([5, 2, 5]), [[1]], (2,), "user row 0 has an item twice"),
        (lists([1, 2], [3, 4]), [[1]], (2,), "2 lists, but the targets of 1"),
        (lists([1, 2], [3, 4]), [[1], []], (2,), "user row 1 has no held-out item"),
        (lists([1, 2], [3, 4]), [[1], [2, 4, 2]], (2,), "item 2 is held out twice .* row 1"),
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
        compute_ranking_metrics(ranked, from_lists(targets), ks)


@settings(deadline=None)
@given(st.integers(1, 5))
def test_padding_may_stand_more_than_once(padding: int) -> None:
    ranked = np.pad(lists([3]), ((0, 0), (0, padding)))
    assert not has_duplicates(ranked).any()

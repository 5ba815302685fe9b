"""Metrics of all lists together, against hand-computed cases and all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.evaluation.metrics.beyond_accuracy import (
    MAX_DIVERSITY_USERS,
    compute_coverage,
    compute_diversity,
    compute_gini,
    compute_novelty,
)


def lists(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


def test_lists_of_padding_only_have_finite_figures() -> None:
    nothing = lists([0, 0], [0, 0])
    read = sparse.csr_array(np.ones((4, 3)))
    assert compute_coverage(nothing, 3) == 0
    assert compute_gini(nothing, 3) == 0
    assert compute_diversity(nothing, read) == 0
    assert compute_novelty(nothing, np.array([0, 3, 3, 3]), 3) == 0


def test_coverage_is_the_share_of_the_catalog_in_any_list() -> None:
    assert compute_coverage(lists([1, 2, 0], [2, 5, 1]), 10) == 3 / 10


# Four training users; item 1: {0, 1}, 2: {0, 1, 2, 3}, 3: {2}, 4: nobody.
READ = sparse.csr_array(
    np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]], float)
)
POPULARITY = np.array([0, 2, 4, 1, 0])


def test_diversity_matches_the_hand_computed_case() -> None:
    cosine_12, cosine_13, cosine_23 = 2 / math.sqrt(2 * 4), 0, 1 / math.sqrt(4 * 1)
    first = 1 - (cosine_12 + cosine_13 + cosine_23) / 3
    # The third list has no pair and is left out.
    ranked = lists([1, 2, 3], [1, 2, 0], [1, 0, 0])
    assert compute_diversity(ranked, READ) == pytest.approx((first + 1 - cosine_12) / 2, abs=1e-12)


def test_an_item_without_users_is_unlike_every_other() -> None:
    assert compute_diversity(lists([4, 2]), READ) == 1
    assert compute_diversity(lists([1, 2, 4]), READ) == pytest.approx(
        1 - 2 / math.sqrt(8) / 3, abs=1e-12
    )


def test_items_with_the_same_users_have_no_diversity() -> None:
    read = sparse.csr_array(np.array([[0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]], float))
    assert compute_diversity(lists([1, 2, 3]), read) == pytest.approx(0, abs=1e-12)


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
    measured = compute_diversity(ranked, sparse.csr_array(read))
    assert measured == pytest.approx(np.mean(expected), abs=1e-12)


def test_diversity_of_many_users_is_that_of_a_sample_which_never_changes() -> None:
    same, apart = [1, 2], [1, 4]
    users = 4 * MAX_DIVERSITY_USERS
    ranked = lists(*([same, apart] * (users // 2)))
    first = compute_diversity(ranked, READ)
    assert first == compute_diversity(ranked, READ)
    everyone = (1 - 2 / math.sqrt(8) + 1) / 2
    assert first != everyone
    assert first == pytest.approx(everyone, abs=0.05)


def test_novelty_matches_the_hand_computed_case() -> None:
    # Bits: item 1 -log2(2/4) = 1, item 2 -log2(4/4) = 0, item 3 -log2(1/4) = 2.
    ranked = lists([1, 2, 3], [3, 0, 0], [0, 0, 0])
    assert compute_novelty(ranked, POPULARITY, 4) == pytest.approx((1 + 2) / 2, abs=1e-12)


def test_an_item_without_users_has_the_largest_finite_novelty() -> None:
    unread = compute_novelty(lists([4]), POPULARITY, 4)
    assert unread == pytest.approx(math.log2(5), abs=1e-12)
    assert unread > compute_novelty(lists([3]), POPULARITY, 4)


def test_gini_matches_the_hand_computed_case() -> None:
    # Counts 0, 0, 1, 3: mean absolute difference over twice the mean.
    counts = np.array([0, 0, 1, 3])
    differences = np.abs(counts[:, None] - counts).mean()
    ranked = lists([1, 2, 0], [1, 0, 0], [1, 0, 0])
    assert compute_gini(ranked, 4) == pytest.approx(differences / (2 * counts.mean()))


def test_gini_is_0_where_all_items_are_shown_alike_and_near_1_where_one_is() -> None:
    assert compute_gini(lists([1, 2], [3, 4]), 4) == 0
    assert compute_gini(np.ones((50, 1), np.int32), 1000) == pytest.approx(0.999)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=9))
def test_gini_agrees_with_all_pairs_of_items(rows: list[list[int]]) -> None:
    ranked = lists(*rows)
    counts = np.bincount(ranked.ravel(), minlength=10)[1:]
    if not counts.sum():
        return
    expected = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert compute_gini(ranked, 9) == pytest.approx(expected, abs=1e-12)
    assert 0 <= compute_gini(ranked, 9) < 1


@given(
    st.lists(
        st.lists(st.integers(1, 4), unique=True, min_size=2, max_size=4), min_size=1, max_size=6
    ),
    st.integers(1, 4),
)
def test_neither_padding_nor_the_order_of_users_changes_anything(rows, padding) -> None:
    width = max(map(len, rows))
    ranked = lists(*[row + [0] * (width - len(row)) for row in rows])
    for other in (np.pad(ranked, ((0, 0), (0, padding))), ranked[::-1]):
        assert compute_coverage(other, 4) == compute_coverage(ranked, 4)
        assert compute_gini(other, 4) == compute_gini(ranked, 4)
        assert compute_diversity(other, READ) == pytest.approx(
            compute_diversity(ranked, READ), abs=1e-12
        )
        assert compute_novelty(other, POPULARITY, 4) == pytest.approx(
            compute_novelty(ranked, POPULARITY, 4)
        )

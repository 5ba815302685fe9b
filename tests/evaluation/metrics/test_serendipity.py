"""Serendipity against its definition in plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.histories import from_lists
from kd_tf.evaluation.metrics.serendipity import compute_serendipity


def test_it_matches_the_hand_computed_case() -> None:
    by_popularity = np.array([3, 1, 4, 2, 5], np.int32)
    # Read: 3. The two most read others are 1 and 4: of the hits 1 and 2 only 2 is unexpected.
    actual = compute_serendipity(
        np.array([[1, 2]], np.int32), from_lists([[1, 2]]), from_lists([[3]]), by_popularity
    )
    assert actual.tolist() == [1 / 2]


@st.composite
def cases(draw: st.DrawFn):
    items = draw(st.integers(2, 9))
    order = draw(st.permutations(range(1, items + 1)))
    k = draw(st.integers(1, items))
    ranked, targets, histories = [], [], []
    for _ in range(draw(st.integers(1, 4))):
        expected_scores = draw(st.permutations(range(1, items + 1)))
        read = draw(st.integers(0, items - 1))
        histories.append(expected_scores[:read])
        targets.append(expected_scores[read : read + draw(st.integers(1, items))])
        shown = draw(st.permutations(expected_scores[read:]))[:k]
        ranked.append(list(shown) + [0] * (k - len(shown)))
    return np.array(order, np.int32), np.array(ranked, np.int32), targets, histories


@given(cases())
def test_it_is_what_the_list_of_the_most_read_items_has_not(case) -> None:
    order, ranked, targets, histories = case
    actual = compute_serendipity(ranked, from_lists(targets), from_lists(histories), order)
    k = ranked.shape[1]
    for row in range(len(ranked)):
        popular = [item for item in order.tolist() if item not in histories[row]][:k]
        hits = [item for item in ranked[row].tolist() if item in targets[row]]
        assert actual[row] == pytest.approx(sum(item not in popular for item in hits) / k)


def test_the_most_read_items_themselves_are_no_surprise() -> None:
    order = np.arange(1, 21, dtype=np.int32)
    histories = [[1, 2, 5], [], [20]]
    ranked = np.array([[b for b in order if b not in h][:6] for h in histories], np.int32)
    targets = from_lists([row.tolist() for row in ranked])
    assert compute_serendipity(ranked, targets, from_lists(histories), order).tolist() == [0, 0, 0]

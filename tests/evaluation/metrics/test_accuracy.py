"""Accuracy of candidates against labels that are counted one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from kd_tf.data.histories import from_lists
from kd_tf.evaluation.metrics.accuracy import compute_accuracy


@given(st.permutations(range(1, 10)), st.integers(1, 9))
def test_it_agrees_with_scikit_learn_where_all_candidates_are_ranked(order, held) -> None:
    targets = list(range(1, held + 1))
    actual = compute_accuracy(np.array([order], np.int32), from_lists([targets]), np.array([9]))
    labels = [item <= held for item in order]
    called = [place < held for place in range(9)]
    assert actual[0] == pytest.approx(accuracy_score(labels, called))


def test_it_matches_the_hand_computed_case() -> None:
    ranked = np.array([[4, 1, 2], [1, 2, 3], [0, 0, 0]], np.int32)
    # Two held out of ten: one missed, one wrong in its place. All right. All missed.
    actual = compute_accuracy(ranked, from_lists([[1, 3], [1, 2, 3], [7]]), np.array([10, 10, 10]))
    assert actual.tolist() == pytest.approx([1 - 2 / 10, 1, 1 - 2 / 10])


def test_where_all_candidates_are_held_out_only_those_not_named_are_missed() -> None:
    actual = compute_accuracy(np.array([[1, 0]], np.int32), from_lists([[1, 2]]), np.array([2]))
    assert actual.tolist() == [0.5]


def test_lists_that_are_too_short_and_too_few_candidates_are_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        compute_accuracy(np.array([[1]], np.int32), from_lists([[1, 2]]), np.array([5]))
    with pytest.raises(ValueError, match="fewer candidates"):
        compute_accuracy(np.array([[1, 2]], np.int32), from_lists([[1, 2]]), np.array([1]))

"""The area under the ROC curve against scikit-learn and against all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kd_tf.data.histories import Histories, from_lists
from kd_tf.evaluation.metrics.auc import compute_auc

SCORES = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, np.inf])


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, Histories, Histories]:
    """Scores with many ties, held-out items, and items read beside them."""
    rows, items = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    scores = [draw(st.lists(SCORES, min_size=items + 1, max_size=items + 1)) for _ in range(rows)]
    targets, excluded = [], []
    for _ in range(rows):
        order = draw(st.permutations(range(1, items + 1)))
        held = draw(st.integers(1, items))
        targets.append(order[:held])
        excluded.append(order[held : held + draw(st.integers(0, items))])
    return np.array(scores, np.float32), from_lists(targets), from_lists(excluded)


@given(cases())
def test_the_area_is_the_share_of_pairs_in_order(case) -> None:
    scores, targets, excluded = case
    before = scores.copy()
    actual = compute_auc(scores, targets, excluded)
    np.testing.assert_array_equal(scores, before)
    assert actual.dtype == np.float64
    for row in range(len(scores)):
        known = {*targets[row].tolist(), *excluded[row].tolist()}
        others = [item for item in range(1, scores.shape[1]) if item not in known]
        pairs = [
            (scores[row, item] > scores[row, other])
            + 0.5 * (scores[row, item] == scores[row, other])
            for item in targets[row]
            for other in others
        ]
        assert actual[row] == pytest.approx(np.mean(pairs) if pairs else 0.5, abs=1e-12)


def test_the_area_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    scores = random.integers(0, 50, (30, 201)).astype(np.float32)
    targets = [random.permutation(200)[: random.integers(1, 20)] + 1 for _ in range(30)]
    actual = compute_auc(scores, from_lists(targets), from_lists([[]] * 30))
    for row in range(30):
        labels = np.isin(np.arange(1, 201), targets[row])
        assert actual[row] == pytest.approx(roc_auc_score(labels, scores[row, 1:]), abs=1e-12)


def test_an_item_without_a_score_is_not_compared() -> None:
    scores = np.array([[9, 1, np.nan, 2, np.nan]], np.float32)
    assert compute_auc(scores, from_lists([[3]]), from_lists([[]])).tolist() == [1]


def test_without_others_the_area_is_a_half() -> None:
    scores = np.array([[0, 1, 2]], np.float32)
    assert compute_auc(scores, from_lists([[1]]), from_lists([[2]])).tolist() == [0.5]

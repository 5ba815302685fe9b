"""The k best of many, exact where scores tie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.histories import Histories, from_lists
from kd_tf.evaluation.top_k import check_ids, select_unseen_top_k

# Few different scores, so that ties are everywhere, also at the boundary of the k best.
SCORES = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 1e-30, 3e38, np.inf])


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, Histories, int]:
    rows, items = draw(st.integers(1, 4)), draw(st.integers(1, 15))
    values = draw(st.lists(SCORES, min_size=rows * (items + 1), max_size=rows * (items + 1)))
    history = st.lists(st.integers(1, items), max_size=items)
    histories = draw(st.lists(history, min_size=rows, max_size=rows))
    scores = np.array(values, np.float32).reshape(rows, items + 1)
    return scores, from_lists(histories), draw(st.integers(1, items + 4))


@settings(deadline=None)
@given(scored())
def test_top_k_agrees_with_sorting_everything(case: tuple[np.ndarray, Histories, int]) -> None:
    scores, histories, k = case
    before = scores.copy()
    actual = select_unseen_top_k(scores, histories, k)
    np.testing.assert_array_equal(scores, before)
    assert actual.dtype == np.int32
    for row in range(len(scores)):
        read = set(histories[row].tolist())
        order = sorted(range(1, scores.shape[1]), key=lambda item: (-scores[row, item], item))
        remaining = [b for b in order if b not in read and scores[row, b] != -np.inf][:k]
        assert actual[row].tolist() == remaining + [0] * (k - len(remaining))


def test_top_k_of_equal_scores_is_the_lowest_ids() -> None:
    scores = np.zeros((2, 10_001), np.float32)
    actual = select_unseen_top_k(scores, from_lists([[1, 3], []]), 4)
    assert actual.tolist() == [[2, 4, 5, 6], [1, 2, 3, 4]]


@pytest.mark.parametrize("column", [0, 2, 4])
def test_a_nan_score_is_refused_wherever_it_stands(column: int) -> None:
    scores = np.zeros((3, 5), np.float32)
    scores[1, column] = np.nan
    with pytest.raises(ValueError, match=f"item {column} in user row 1 is NaN"):
        select_unseen_top_k(scores, from_lists([[], [4], []]), 2)


@pytest.mark.parametrize(
    ("scores", "histories", "k", "message"),
    [
        (np.zeros((2, 5), np.float32), [[1]], 2, "do not match 1 histories"),
        (np.zeros(5, np.float32), [[1]], 2, "do not match"),
        (np.zeros((1, 5), np.int32), [[1]], 2, "must be float32, not int32"),
        (np.zeros((1, 5), np.float32), [[1]], 0, "k must be 1 or more"),
        (np.zeros((1, 5), np.float32), [[5]], 2, "outside 1..4"),
        (np.zeros((1, 5), np.float32), [[-1]], 2, "outside 1..4"),
    ],
)
def test_top_k_refuses_what_does_not_fit(scores, histories, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select_unseen_top_k(scores, from_lists(histories), k)


def test_an_unknown_id_is_reported_with_its_row() -> None:
    check_ids(from_lists([[1, 9], []]), 9)
    with pytest.raises(ValueError, match=r"user row 2 has the id 10, outside 1\.\.9"):
        check_ids(from_lists([[1, 9], [], [2, 10]]), 9)


@pytest.mark.parametrize("items", [1, 15, 16, 17, 159, 160, 161, 1000, 4321])
@pytest.mark.parametrize("levels", [1, 2, 30, 10**6])
def test_large_catalogs_agree_with_sorting_everything(items: int, levels: int) -> None:
    """Blocks that do not divide the catalog, and from all equal to no equal scores."""
    random = np.random.default_rng(items + levels)
    scores = random.integers(0, levels, (6, items + 1)).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = -np.inf
    scores[-1] = -np.inf
    histories = from_lists([random.integers(1, items + 1, 9) for _ in range(6)])
    for k in {1, min(10, items), items}:
        remaining = scores.copy()
        remaining[:, 0] = -np.inf
        for row in range(6):
            remaining[row, histories[row]] = -np.inf
        order = np.argsort(-remaining, axis=1, kind="stable")[:, :k]
        expected = np.where(np.take_along_axis(remaining, order, axis=1) == -np.inf, 0, order)
        np.testing.assert_array_equal(select_unseen_top_k(scores, histories, k), expected)

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.errors import ParityError
from kd_tf.tflite.checks.contract import check_answers

ITEMS = 6
ASKED = np.array([[2, 2, 0, -1], [1, 2, 3, 4], [0, 0, 0, 9]], np.int32)
IDS = np.array([[1, 3, 6], [5, 6, 0], [4, 2, 1]], np.int32)
SCORES = np.array([[3, 2, 1], [5, 5, 9], [0, -1, -2]], np.float32)


def check(ids=IDS, scores=SCORES, items=ITEMS):
    check_answers("recommend", ids, scores, ASKED, items)


def changed(array, row, column, value):
    copy = array.copy()
    copy[row, column] = value
    return copy


def test_answers_that_keep_the_contract_pass():
    check()


@pytest.mark.parametrize(
    ("row", "column", "item", "fault"),
    [
        (0, 2, 7, r"an id outside 0\.\.6"),
        (0, 2, -1, r"an id outside 0\.\.6"),
        (2, 1, 0, "a 0 before the end"),
        (0, 2, 1, "an item twice"),
        (0, 1, 2, "an item of the input"),
        (1, 2, 1, "an item of the input"),
        (0, 2, 0, "a wrong number of items"),
        (1, 1, 0, "a wrong number of items"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_shown(row, column, item, fault):
    with pytest.raises(ParityError, match=f"recommend returns {fault}") as refusal:
        check(ids=changed(IDS, row, column, item))
    assert str(ASKED[row].tolist()) in str(refusal.value)


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 2), (1, 2)])
def test_a_score_that_is_not_finite_is_refused_even_where_no_item_stands(place, score):
    with pytest.raises(ParityError, match="not finite"):
        check(scores=changed(SCORES, *place, score))


def test_scores_must_fall_from_item_to_item():
    with pytest.raises(ParityError, match="not in descending order"):
        check(scores=changed(SCORES, 2, 1, 0.5))


def test_items_of_one_score_stand_in_the_order_of_their_ids():
    with pytest.raises(ParityError, match="not sorted by id"):
        check(ids=changed(changed(IDS, 1, 0, 6), 1, 1, 5))


def test_a_user_of_everything_gets_no_item():
    asked = np.array([[1, 2, 1, 7]], np.int32)
    nothing, scores = np.zeros((1, 3), np.int32), np.zeros((1, 3), np.float32)
    check_answers("recommend", nothing, scores, asked, num_items=2)
    with pytest.raises(ParityError, match="a wrong number of items"):
        check_answers("recommend", nothing, scores, asked, num_items=3)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.histories import Histories, from_lists

lists = st.lists(st.lists(st.integers(1, 99), max_size=6), max_size=6)


def rows(histories: Histories) -> list[list[int]]:
    return [histories[row].tolist() for row in range(len(histories))]


@settings(deadline=None)
@given(lists)
def test_every_row_is_read_back_unchanged(given_rows):
    histories = from_lists(given_rows)
    assert rows(histories) == given_rows
    assert len(histories) == len(given_rows)
    assert histories.lengths.tolist() == [len(row) for row in given_rows]
    assert (histories.items.dtype, histories.offsets.dtype) == (np.int32, np.int64)


@settings(deadline=None)
@given(lists, st.integers(1, 8))
def test_padding_keeps_the_newest_items_oldest_first_and_zeros_only_behind(given_rows, length):
    padded = from_lists(given_rows).pad(length)
    assert padded.dtype == np.int32
    assert padded.shape == (len(given_rows), length)
    for row, given_row in zip(padded.tolist(), given_rows, strict=True):
        newest = given_row[-length:]
        assert row == newest + [0] * (length - len(newest))


def test_padding_by_hand():
    padded = from_lists([[1, 2, 3, 4], [], [7], [5, 6, 8]]).pad(3)
    assert padded.tolist() == [[2, 3, 4], [0, 0, 0], [7, 0, 0], [5, 6, 8]]


@settings(deadline=None)
@given(lists.filter(len), st.data())
def test_take_returns_rows_in_the_given_order_also_twice(given_rows, data):
    calls = data.draw(st.lists(st.integers(0, len(given_rows) - 1), max_size=8))
    taken = from_lists(given_rows).take(np.array(calls, np.int64))
    assert rows(taken) == [given_rows[row] for row in calls]
    assert (taken.items.dtype, taken.offsets.dtype) == (np.int32, np.int64)


@settings(deadline=None)
@given(lists.filter(len), st.data())
def test_taking_from_what_was_taken_is_taking_once(given_rows, data):
    one = data.draw(st.lists(st.integers(0, len(given_rows) - 1), min_size=1, max_size=6))
    two = data.draw(st.lists(st.integers(0, len(one) - 1), max_size=6))
    one, two = np.array(one, np.int64), np.array(two, np.int64)
    histories = from_lists(given_rows)
    assert rows(histories.take(one).take(two)) == rows(histories.take(one[two]))


def test_a_boolean_mask_takes_the_rows_where_it_is_true():
    taken = from_lists([[1], [2, 3], [], [4]]).take(np.array([True, False, True, True]))
    assert rows(taken) == [[1], [], [4]]


def test_arrays_are_taken_as_lists_are():
    assert rows(from_lists([np.array([3, 1]), np.array([], np.int64)])) == [[3, 1], []]


@pytest.mark.parametrize("offsets", [[0, 1], [1, 2], [0, 3]])
def test_offsets_that_do_not_cover_the_items_are_refused(offsets):
    with pytest.raises(ValueError, match="offsets"):
        Histories(np.array([1, 2], np.int32), np.array(offsets, np.int64))

"""The popularity baseline by hand and against full sorting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOut, Split
from kd_tf.evaluate.baselines import popularity


def split_of(train: list[list[int]], books: int) -> Split:
    nobody = HeldOut(from_lists([]), from_lists([]), np.empty(0, np.int32))
    return Split(from_lists(train), nobody, nobody, "unseen-users", 0, books)


# Book 3 is read three times, 1 and 4 twice, 2 once, 5 never.
MODEL = popularity.fit(split_of([[3, 1, 4], [4, 3], [1, 3, 2]], 5))


def test_the_most_read_books_come_first_and_ties_go_by_id() -> None:
    assert MODEL.rank(from_lists([[]]), 5).tolist() == [[3, 1, 4, 2, 5]]


def test_books_of_the_history_are_left_out_and_the_rest_is_zero() -> None:
    ranked = MODEL.rank(from_lists([[3, 4], [1], [5, 1, 2, 3, 4]]), 4)
    assert ranked.dtype == np.int32
    assert ranked.tolist() == [[1, 2, 5, 0], [3, 4, 2, 5], [0, 0, 0, 0]]


def test_size_is_what_is_stored() -> None:
    assert (MODEL.name, MODEL.parameters, MODEL.bytes) == ("popularity", 5, 20)


def test_an_unknown_book_is_refused() -> None:
    with pytest.raises(ValueError, match="reader row 1 holds the id 6"):
        MODEL.rank(from_lists([[1], [6]]), 2)


@settings(deadline=None)
@given(st.data())
def test_it_ranks_as_sorting_everything_does(data: st.DataObject) -> None:
    books = data.draw(st.integers(1, 12))
    some = st.lists(st.lists(st.integers(1, books), unique=True), min_size=1, max_size=6)
    train, histories = data.draw(some), data.draw(some)
    k = data.draw(st.integers(1, 14))
    ranked = popularity.fit(split_of(train, books)).rank(from_lists(histories), k)
    counts = np.bincount(Histories(*_flat(train)).items, minlength=books + 1)
    for row, history in zip(ranked, histories, strict=True):
        left = sorted(set(range(1, books + 1)) - set(history), key=lambda b: (-counts[b], b))[:k]
        assert row.tolist() == left + [0] * (k - len(left))


def _flat(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    histories = from_lists(rows)
    return histories.items, histories.offsets

"""Which weights are kept, against a plain sort of every row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from kd_tf.models.closed_form.sparsify import keep_top_weights, select_top_targets

# Few different weights, so that many tie.
weights = st.sampled_from([-2.0, -0.5, 0.0, 0.0, 0.25, 0.5, 3.0])
square = st.integers(1, 7).flatmap(
    lambda size: arrays.arrays(np.float32, (size, size), elements=weights)
)
widths = st.integers(0, 8)


def strongest(row, width, least):
    """Ids of the largest weights above `least`, largest first, the first id where they tie."""
    stored = [place for place in range(len(row)) if row[place] and row[place] > least]
    return sorted(stored, key=lambda place: (-row[place], place))[:width]


@given(square, widths)
def test_the_strongest_targets_are_those_of_a_plain_sort(dense, width):
    ids, values = select_top_targets(sparse.csr_array(dense), width)
    assert ids.shape == values.shape == (len(dense), width)
    assert (ids.dtype, values.dtype) == (np.int32, np.float32)
    for row in range(len(dense)):
        best = strongest(dense[row], width, -np.inf)
        assert ids[row].tolist() == best + [0] * (width - len(best))
        assert values[row].tolist() == [*dense[row, best], *[0.0] * (width - len(best))]


@given(square, widths)
def test_each_item_of_a_history_keeps_the_items_it_speaks_loudest_for(dense, width):
    matrix = sparse.csr_array(dense)
    expected = np.zeros_like(dense)
    for row in range(len(dense)):
        best = strongest(dense[row], width, 0)
        expected[row, best] = dense[row, best]
    agrees(keep_top_weights(matrix, width, "history"), expected)
    np.testing.assert_array_equal(matrix.toarray(), dense)


@given(square, widths)
def test_each_candidate_keeps_the_items_that_speak_loudest_for_it(dense, width):
    matrix = sparse.csr_array(dense)
    expected = np.zeros_like(dense)
    for column in range(len(dense)):
        best = strongest(dense[:, column], width, 0)
        expected[best, column] = dense[best, column]
    agrees(keep_top_weights(matrix, width, "candidate"), expected)
    np.testing.assert_array_equal(matrix.toarray(), dense)


def agrees(actual, expected):
    np.testing.assert_array_equal(actual.toarray(), expected)
    assert actual.format == "csr"
    assert actual.dtype == np.float32
    assert (actual.data > 0).all()  # nothing is stored that says nothing
    for row in range(len(expected)):
        assert (np.diff(actual.indices[actual.indptr[row] : actual.indptr[row + 1]]) > 0).all()


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        ("history", [[0, 0, 0], [0, 0, 3], [0, 2, 0]]),
        ("candidate", [[0, 0, 0], [0, 0, 3], [0, 2, 0]]),
    ],
)
def test_a_weight_of_0_or_less_is_dropped_where_there_is_room(side, expected):
    matrix = sparse.csr_array(np.array([[0, 0, 0], [0, -1, 3], [0, 2, -4]], np.float32))
    stored = matrix.copy()
    stored.data[0] = 0  # a zero that is stored
    for one in (matrix, stored):
        agrees(keep_top_weights(one, 3, side), np.array(expected))


def test_the_sides_differ_by_hand():
    matrix = sparse.csr_array(np.array([[0, 0, 0], [0, 1, 2], [0, 3, 4]], np.float32))
    history, candidate = (
        keep_top_weights(matrix, 1, side).toarray().tolist() for side in ("history", "candidate")
    )
    assert history == [[0, 0, 0], [0, 0, 2], [0, 0, 4]]
    assert candidate == [[0, 0, 0], [0, 0, 0], [0, 3, 4]]

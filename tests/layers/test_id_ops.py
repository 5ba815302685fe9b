"""Operations on histories of item ids, against loops over lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kd_tf.backend import tf
from kd_tf.layers.id_ops import (
    compact_ids,
    deduplicate,
    mark_first_occurrences,
    mask_unknown_ids,
)

histories = st.integers(1, 6).flatmap(
    lambda L: hnp.arrays(np.int32, (3, L), elements=st.integers(0, 4))
)


def test_ids_of_the_catalog_stay_and_all_others_become_padding():
    ids = tf.constant([[-1, 0, 1], [5, 6, 2**31 - 1], [-(2**31), 2, 3]])
    assert mask_unknown_ids(ids, 5).numpy().tolist() == [[0, 0, 1], [5, 0, 0], [0, 2, 3]]


@given(histories)
def test_first_occurrences_are_those_that_a_loop_finds(ids):
    expected = [
        [item > 0 and item not in row[:place] for place, item in enumerate(row)]
        for row in ids.tolist()
    ]
    assert mark_first_occurrences(tf.constant(ids)).numpy().tolist() == expected


@given(histories)
def test_deduplicating_leaves_a_gap_where_an_item_is_repeated(ids):
    first = mark_first_occurrences(tf.constant(ids)).numpy()
    np.testing.assert_array_equal(deduplicate(tf.constant(ids)), np.where(first, ids, 0))


@given(histories)
def test_compacting_keeps_each_item_once_in_order_with_padding_at_the_end(ids):
    expected = []
    for row in ids.tolist():
        items = [item for item in dict.fromkeys(row) if item]
        expected.append(items + [0] * (len(row) - len(items)))
    assert compact_ids(tf.constant(ids)).numpy().tolist() == expected


@pytest.mark.parametrize("function", [mark_first_occurrences, deduplicate, compact_ids])
def test_a_traced_function_takes_any_number_of_users(function):
    traced = tf.function(function, input_signature=[tf.TensorSpec([None, 3], tf.int32)])
    for num_users in (1, 4):
        ids = tf.constant([[2, 2, 1]] * num_users)
        np.testing.assert_array_equal(traced(ids), function(ids))

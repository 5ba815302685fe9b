"""Rows of a sparse matrix, looked up and summed; test_additive tests that scores are sums."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import from_lists
from kd_tf.models.sparse_item_item import SparseItemItemModel, check_item_matrix
from kd_tf.models.students.neighbours import NeighboursStudent
from kd_tf.training import checkpoint

V, L = 12, 4


def matrix(*lengths: int, items: int = V) -> sparse.csr_array:
    """Row h, from 1 on, has as many entries as the h-th number says."""
    random = np.random.default_rng(3)
    dense = np.zeros((items + 1, items + 1), np.float32)
    for row, length in enumerate(lengths, start=1):
        others = np.setdiff1d(np.arange(1, items + 1), [row])
        dense[row, random.choice(others, length, replace=False)] = random.normal(0, 1, length)
    return sparse.csr_array(dense)


def model(
    some: sparse.csr_array, kind: type[SparseItemItemModel] = SparseItemItemModel
) -> SparseItemItemModel:
    made = kind(num_items=some.shape[0] - 1, max_length=L, num_entries=some.nnz)
    made.create_weights()
    made.assign(some)
    return made


LENGTHS = (3, 0, 1, V - 1, 0, 0, 2, 5, 1, 0, 4, 3)
"""With empty rows in the middle, after one another, and full ones; the last is not empty."""

ids = st.lists(st.integers(0, V), min_size=1, max_size=30)


@settings(max_examples=60)
@given(ids=ids, last_is_empty=st.booleans())
def test_the_entries_of_rows_are_those_of_a_loop_over_them(ids, last_is_empty):
    some = matrix(*(LENGTHS[::-1] if last_is_empty else LENGTHS))
    owner, entry = model(some).locate_entries(tf.constant(ids, tf.int32))
    expected = [
        (place, number)
        for place, row in enumerate(ids)
        for number in range(some.indptr[row], some.indptr[row + 1])
    ]
    assert list(zip(owner.numpy().tolist(), entry.numpy().tolist(), strict=True)) == expected


@pytest.mark.parametrize("rows", [[0], [0, 0, 0], [1], [V], [2], [5, 6], [V, 0, 0, V], [0, 5, 4]])
def test_empty_first_and_last_rows_are_found(rows):
    some = matrix(*LENGTHS)
    owner, entry = model(some).locate_entries(tf.constant(rows, tf.int32))
    counts = np.diff(some.indptr)[rows]
    assert owner.numpy().tolist() == np.repeat(np.arange(len(rows)), counts).tolist()
    assert entry.shape == (counts.sum(),)
    for place, row in enumerate(rows):
        expected_scores = entry.numpy()[owner.numpy() == place]
        assert expected_scores.tolist() == list(range(some.indptr[row], some.indptr[row + 1]))


@pytest.mark.slow
def test_many_rows_of_a_large_matrix_are_found():
    items = 3000
    random = np.random.default_rng(1)
    lengths = random.integers(0, 9, items) * (random.random(items) < 0.5)
    some = matrix(*lengths, items=items)
    rows = random.integers(0, items + 1, 5000).astype(np.int32)
    owner, entry = model(some).locate_entries(tf.constant(rows))
    counts = np.diff(some.indptr)[rows]
    np.testing.assert_array_equal(owner, np.repeat(np.arange(len(rows)), counts))
    expected = [np.arange(some.indptr[row], some.indptr[row + 1]) for row in rows]
    np.testing.assert_array_equal(entry, np.concatenate(expected))


def test_users_of_a_batch_get_nothing_of_each_other():
    made = model(matrix(*LENGTHS))
    rows = [[4, 8, 0, 0], [0] * L, [12, 1, 11, 7], [2, 5, 6, 10], [4, 0, 0, 0]]
    alone = np.concatenate([made(tf.constant([row])).numpy() for row in rows])
    np.testing.assert_allclose(made(tf.constant(rows)), alone, atol=1e-6)
    assert not alone[3].any()


def test_the_matrix_is_returned_with_the_current_weights():
    some = matrix(*LENGTHS)
    made = model(some)
    np.testing.assert_array_equal(made.to_matrix().toarray(), some.toarray())
    made.entry_weights.assign(made.entry_weights * 2)
    np.testing.assert_array_equal(made.to_matrix().toarray(), 2 * some.toarray())


def test_wide_indices_are_taken_as_well():
    some = matrix(*LENGTHS)
    wide = sparse.csr_array(some)
    wide.indptr, wide.indices = some.indptr.astype(np.int64), some.indices.astype(np.int64)
    np.testing.assert_array_equal(model(wide).to_matrix().toarray(), some.toarray())


def test_a_table_without_entries_scores_by_the_prior_alone(tmp_path):
    made = model(sparse.csr_array((V + 1, V + 1), dtype=np.float32), NeighboursStudent)
    prior = np.arange(V + 1, dtype=np.float32)
    made.prior.assign(prior)
    rows = tf.constant([[1, 2, V, 0], [0] * L])
    np.testing.assert_array_equal(made(rows), [prior] * 2)
    np.testing.assert_array_equal(made.numpy_scores(from_lists([[1, 2], []])), [prior] * 2)
    assert not made.contributions(rows, tf.constant([3, 3])).numpy().any()
    assert made.to_matrix().nnz == 0
    checkpoint.save(made, tmp_path / "model")
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "model")(rows), [prior] * 2)


def test_a_table_without_entries_runs_when_it_is_converted():
    made = model(sparse.csr_array((V + 1, V + 1), dtype=np.float32))
    made.prior.assign(np.arange(V + 1, dtype=np.float32))
    signature = tf.TensorSpec([1, L], tf.int32)
    traced = tf.function(made.call, input_signature=[signature]).get_concrete_function()
    file = tf.lite.TFLiteConverter.from_concrete_functions([traced], made).convert()
    interpreter = Interpreter(model_content=file)
    interpreter.allocate_tensors()
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], np.array([[1, 2, V, 0]], np.int32)
    )
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_array_equal(actual, [np.arange(V + 1)])


def test_the_gradient_by_a_weight_is_how_many_users_it_was_added_for():
    some = matrix(*LENGTHS)
    made = model(some)
    rows = [[4, 8, 0, 0], [8, 8, -1, V + 1], [12, 1, 4, 8], [2, 5, 6, 10], [0] * L]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(made(tf.constant(rows)))
    gradient = tf.convert_to_tensor(tape.gradient(total, made.entry_weights)).numpy()
    owner = np.repeat(np.arange(V + 1), np.diff(some.indptr))
    users = np.array([sum(item in row for row in rows) for item in range(V + 1)])
    np.testing.assert_array_equal(gradient, users[owner])


def test_the_gradient_by_a_weight_is_that_of_its_own_target():
    some = matrix(*LENGTHS)
    made = model(some)
    factors = np.random.default_rng(2).normal(size=V + 1).astype(np.float32)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(made(tf.constant([[4, 0, 0, 0]])) * factors)
    gradient = tf.convert_to_tensor(tape.gradient(total, made.entry_weights)).numpy()
    owner = np.repeat(np.arange(V + 1), np.diff(some.indptr))
    np.testing.assert_allclose(gradient, np.where(owner == 4, factors[some.indices], 0))


def test_only_weights_and_prior_are_trained():
    names = {weight.name.split(":")[0] for weight in model(matrix(*LENGTHS)).trainable_weights}
    assert names == {"entry_weights", "prior"}


@pytest.mark.parametrize(
    ("row", "column", "value", "named"),
    [
        (3, 3, 1.0, "diagonal"),
        (V, V, 1.0, "diagonal"),
        (0, 3, 1.0, "padding"),
        (3, 0, 1.0, "padding"),
        (0, 0, 1.0, "padding"),
        (3, 4, np.nan, "not finite"),
        (3, 4, np.inf, "not finite"),
        (3, 4, -np.inf, "not finite"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_before_anything_is_taken(row, column, value, named):
    dense = matrix(*LENGTHS).toarray()
    changed = dense.copy()
    changed[row, column] = value
    some = sparse.csr_array(changed)
    made = SparseItemItemModel(num_items=V, max_length=L, num_entries=some.nnz)
    with pytest.raises(ValueError, match=named):
        made.assign(some)
    assert not any(weight.numpy().any() for weight in made.trainable_weights)
    check_item_matrix(sparse.csr_array(dense), V)


def test_a_matrix_may_hold_negative_weights_and_zeros():
    some = matrix(*LENGTHS)
    some.data[0] = 0
    assert (some.data < 0).any()
    check_item_matrix(some, V)
    np.testing.assert_array_equal(model(some).entry_weights, some.data)


@pytest.mark.parametrize("shape", [(V, V), (V + 2, V + 2), (V + 1, V), (V, V + 1)])
def test_a_matrix_of_another_catalog_is_refused(shape):
    with pytest.raises(ValueError, match="another catalog") as refused:
        model(matrix(*LENGTHS)).assign(sparse.csr_array(shape, dtype=np.float32))
    assert f"{shape[0]} x {shape[1]}" in str(refused.value)


def test_another_number_of_entries_is_refused_with_both_numbers():
    some = matrix(*LENGTHS)
    made = model(some)
    with pytest.raises(ValueError, match=f"3 entries, the model {some.nnz}"):
        made.assign(matrix(2, 1))


def test_fewer_entries_than_none_are_refused():
    with pytest.raises(ValueError, match="not -1"):
        SparseItemItemModel(num_items=V, max_length=L, num_entries=-1)

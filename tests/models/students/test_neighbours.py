"""Neighbours in bits, read back entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import from_lists
from kd_tf.errors import UserError
from kd_tf.models.students.neighbours import (
    MAX_ROW_LENGTH,
    ROWS_PER_START,
    NeighboursStudent,
    PackedNeighbours,
    compute_max_entries,
    compute_packed_size,
    truncate_rows,
)
from kd_tf.training import checkpoint

L = 5
LEVELS = 15
SIZES = [1, 2, 3, 14, 15, 16, 31, 127, 128, 129, 255, 256, 1000, 8191, 8192, 70_000, 2_000_003]
"""Around the powers of two, where an id takes a bit more, and around blocks of rows."""


def drawn(items: int, entries: int = 40, seed: int = 0) -> sparse.csr_array:
    """Entries among all ids, the first and the last among them, with weights of all sizes."""
    random = np.random.default_rng(seed)
    rows, columns = random.integers(1, items + 1, (2, entries))
    if items > 1:
        rows[:3], columns[:3] = (1, items, items), (items, 1, items - 1)
        rows[3:9] = 1  # one row with several entries
    kept = rows != columns
    # Made of a set: an entry that is drawn twice counts once.
    cells = np.unique(np.stack([rows[kept], columns[kept]]), axis=1)
    weights = np.exp(random.normal(0, 1.5, cells.shape[1])).astype(np.float32)
    return sparse.csr_array((weights, (cells[0], cells[1])), shape=(items + 1, items + 1))


def student(matrix: sparse.csr_array, prior: np.ndarray | None = None) -> NeighboursStudent:
    prior = np.zeros(matrix.shape[0], np.float32) if prior is None else prior
    return NeighboursStudent.from_matrix(matrix, max_length=L, prior=prior)


def padded(*items: int) -> list[int]:
    return [*items] + [0] * (L - len(items))


def read_entries(packed: PackedNeighbours) -> list[tuple[int, int, int]]:
    """(item of the history, candidate, level) of every entry, row by row."""
    numbers = iter(packed.packed_entries.numpy().tolist())
    lengths = packed.row_lengths.numpy()
    assert not lengths[packed.num_items + 1 :].any()
    actual = []
    for row in np.flatnonzero(lengths):
        for _ in range(lengths[row]):
            column, level = divmod(next(numbers), 16)
            actual.append((int(row), column, level))
    assert next(numbers, None) is None
    return actual


def as_matrix(packed: PackedNeighbours) -> dict[tuple[int, int], float]:
    some = sparse.coo_array(packed.unpack())
    cells = zip(some.row.tolist(), some.col.tolist(), some.data.tolist(), strict=True)
    return {(row, column): weight for row, column, weight in cells}


@pytest.mark.parametrize("items", SIZES)
def test_the_bits_hold_the_entries_exactly_and_weights_within_a_step(items):
    matrix = drawn(items)
    packed = student(matrix).pack()
    largest = matrix.max(axis=0).toarray()
    scale = packed.scale.numpy()
    read = read_entries(packed)
    mask = sparse.coo_array(matrix)
    assert [(row, column) for row, column, _ in read] == sorted(
        zip(mask.row.tolist(), mask.col.tolist(), strict=True)
    )
    exact = matrix.todok()
    for row, column, level in read:
        batch = largest[column] / LEVELS
        assert abs(level * scale[column] - exact[row, column]) <= batch
    assert packed.num_entries == matrix.nnz


@pytest.mark.parametrize("items", SIZES)
def test_the_unpacked_matrix_holds_the_entries(items):
    packed = student(drawn(items)).pack()
    scale = packed.scale.numpy()
    expected = {
        (row, column): float(np.float32(level) * scale[column])
        for row, column, level in read_entries(packed)
    }
    assert as_matrix(packed) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("items", SIZES)
def test_the_graph_scores_as_the_unpacked_matrix(items):
    packed = student(drawn(items)).pack()
    matrix = packed.unpack()
    mask = np.unique(sparse.coo_array(matrix).row)
    for history in (mask[:L], mask[-L:], [1], [items], []):
        row = padded(*(int(item) for item in history))
        expected = np.zeros(items + 1)
        for item in {id for id in row if id}:
            expected += matrix[[item]].toarray()[0]
        actual = packed(tf.constant([row], tf.int32)).numpy()[0]
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@settings(max_examples=25)
@given(items=st.integers(1, 600), entries=st.integers(0, 400), seed=st.integers(0, 99))
def test_any_table_is_read_back(items, entries, seed):
    matrix = drawn(items, max(entries, 9), seed) if entries else empty(items)
    packed = student(matrix).pack()
    actual = packed.unpack().toarray()
    batch = matrix.toarray().max(axis=0) / LEVELS
    assert (np.abs(actual - matrix.toarray()) <= batch).all()
    assert ((actual != 0) <= (matrix.toarray() != 0)).all()
    everyone = np.arange(1, items + 1)
    scores = packed.similar(tf.constant(everyone, tf.int32)).numpy()
    np.testing.assert_allclose(scores, actual[1:], rtol=1e-5)


def empty(items: int) -> sparse.csr_array:
    return sparse.csr_array((items + 1, items + 1), dtype=np.float32)


def test_a_table_without_entries_scores_by_the_prior_alone(tmp_path):
    prior = np.linspace(0, 1, 21, dtype=np.float32)
    packed = student(empty(20), prior).pack()
    rows = tf.constant([padded(1, 20), padded()])
    np.testing.assert_allclose(packed(rows), [prior] * 2, atol=0.5 / 255)
    assert not packed.contributions(rows, tf.constant([3, 4])).numpy().any()
    assert packed.unpack().nnz == 0
    checkpoint.save(packed, tmp_path / "model")
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "model")(rows), packed(rows))


def test_every_row_around_the_blocks_of_rows_is_found():
    items = 3 * ROWS_PER_START
    dense = np.zeros((items + 1, items + 1), np.float32)
    for row in range(1, items + 1):
        for other in range(row % 5):
            dense[row, (row + other) % items + 1] = 1  # all alike: no level is 0
    packed = student(sparse.csr_array(dense)).pack()
    actual = packed.similar(tf.range(1, items + 1)).numpy()
    np.testing.assert_allclose(actual, dense[1:], rtol=1e-5)


def test_scores_are_near_those_of_the_student():
    matrix, prior = drawn(300, 3000), np.random.default_rng(1).random(301).astype(np.float32)
    whole = student(matrix, prior)
    histories = from_lists([[1, 2, 3], [300], [], [7, 70, 270, 1, 99]])
    rows = tf.constant(histories.pad(L))
    error = np.abs(whole.pack()(rows) - whole(rows))
    # An entry is half a step off, five may meet; a step is a 15th of the candidate's largest.
    allowed = 5 * 0.55 * matrix.max(axis=0).toarray() / LEVELS + 1 / 255
    assert (error <= allowed).all()
    assert error.max() > 0


def test_a_traced_model_scores_any_number_of_users_alike():
    packed = student(drawn(300, 3000)).pack()
    traced = tf.function(packed.call, input_signature=[tf.TensorSpec([None, L], tf.int32)])
    rows = tf.constant([padded(1, 2, 3), padded(), padded(300), padded(300, -1, 1, 1, 301)])
    np.testing.assert_array_equal(traced(rows), packed(rows))
    np.testing.assert_array_equal(traced(rows[:1]), packed(rows[:1]))


def test_a_row_that_is_too_long_keeps_its_largest_weights():
    items = MAX_ROW_LENGTH + 45
    random = np.random.default_rng(0)
    dense = np.zeros((items + 1, items + 1), np.float32)
    dense[7, 8:] = random.permutation(np.arange(1, items - 6))
    dense[9, 10:265] = 300.0  # exactly as many as a row may have
    kept = truncate_rows(sparse.csr_array(dense))
    assert np.diff(kept.indptr)[[7, 9]].tolist() == [MAX_ROW_LENGTH, MAX_ROW_LENGTH]
    largest = set(np.argsort(-dense[7], kind="stable")[:MAX_ROW_LENGTH].tolist())
    assert set(kept[[7]].indices.tolist()) == largest
    assert (kept[[9]].toarray() == dense[9]).all()
    packed = student(sparse.csr_array(dense)).pack()
    assert packed.num_entries == 2 * MAX_ROW_LENGTH
    scores = packed(tf.constant([padded(7), padded(9)])).numpy()
    assert set(np.flatnonzero(scores[0]).tolist()) <= largest
    assert set(np.flatnonzero(scores[1]).tolist()) == set(range(10, 265))


def test_weights_of_0_or_less_are_dropped():
    dense = np.zeros((6, 6), np.float32)
    dense[1, 2:] = (1, -1, 0, 3)  # the 0 is stored below
    dense[4, 5] = -2
    cells = np.nonzero(dense)
    with_zero = np.append(dense[cells], 0), tuple(np.append(cells, [[1], [4]], axis=1))
    matrix = sparse.csr_array(with_zero, shape=(6, 6))
    assert matrix.nnz == 5
    made = student(matrix)
    assert sparse.coo_array(made.to_matrix()).coords[1].tolist() == [2, 5]
    assert made.pack().num_entries == 2


def test_weights_that_training_made_negative_are_dropped_when_packed():
    made = student(drawn(50, 200))
    made.entry_weights.assign(made.entry_weights - 1.0)
    remaining = int((made.entry_weights.numpy() > 0).sum())
    packed = made.pack()
    assert 0 < remaining < made.num_entries
    assert packed.num_entries == remaining
    expected = np.maximum(made.to_matrix().toarray(), 0)
    actual = packed.unpack().toarray()
    assert (np.abs(actual - expected) <= expected.max(axis=0) / LEVELS).all()


def test_stored_bytes_are_those_of_the_weights_within_four():
    wrong = {}
    for items in SIZES:
        made = student(drawn(items))
        packed = made.pack()
        assert (
            packed.quantized_size
            == made.quantized_size
            == compute_packed_size(items, packed.num_entries)
        )
        real = sum(weight.numpy().nbytes for weight in checkpoint.get_inference_weights(packed))
        wrong[items] = real - packed.quantized_size
    assert max(wrong.values()) <= 4, wrong
    assert min(wrong.values()) >= 0, wrong


@settings(max_examples=100)
@given(items=st.integers(1, 3_000_000), more=st.integers(-2000, 3_000_000))
def test_entries_within_is_the_most_that_fit(items, more):
    max_bytes = compute_packed_size(items, 0) + more
    most = compute_max_entries(items, max_bytes)
    assert compute_packed_size(items, most + 1) > max_bytes
    if most >= 0:
        assert compute_packed_size(items, most) <= max_bytes
    else:
        assert more < 0


def test_the_prior_is_within_half_a_step():
    prior = np.random.default_rng(1).normal(size=41).astype(np.float32)
    packed = student(drawn(40), prior).pack()
    half_a_step = (prior.max() - prior.min()) / 255 / 2
    actual = packed(tf.constant([padded()])).numpy()[0]
    assert np.abs(actual - prior).max() <= half_a_step * 1.001


def test_a_saved_table_is_packed_alike_when_it_is_loaded(tmp_path):
    packed = student(drawn(300, 3000)).pack()
    checkpoint.save(packed, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    assert isinstance(loaded, PackedNeighbours)
    assert as_matrix(loaded) == as_matrix(packed)
    rows = tf.constant([padded(1, 2, 3), padded()])
    np.testing.assert_array_equal(loaded(rows), packed(rows))


def test_nothing_of_a_packed_table_is_trained():
    assert not student(drawn(40)).pack().trainable_weights


def test_catalogs_that_ids_cannot_number_are_refused_with_the_most():
    most = 2**26 - 1
    # No weights are made: a table of so many items is half a gigabyte.
    with pytest.raises(UserError, match=f"at most {most:,} items") as refused:
        PackedNeighbours(num_items=most + 1, max_length=L, num_entries=1)
    assert "min_item_interactions" in str(refused.value)


@pytest.mark.parametrize("items", [2**22 - 1, 2**22, 2**22 + 9])
def test_entries_of_large_catalogs_are_read_rightly(items):
    rows, columns = np.ones(24, int), items - np.arange(24)
    matrix = sparse.csr_array(
        (np.linspace(1, 2, 24, dtype=np.float32), (rows, columns)), shape=(items + 1, items + 1)
    )
    packed = student(matrix).pack()
    numbers = packed.packed_entries.gather(tf.range(24)).numpy()
    assert (numbers // 16).tolist() == sorted(columns.tolist())

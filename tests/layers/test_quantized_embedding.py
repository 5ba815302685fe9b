"""One vector per item: floats, and the error of 8- and 4-bit integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kd_tf.backend import tf
from kd_tf.layers.quantized_embedding import QuantizedEmbedding, check_bits, pack_nibbles
from kd_tf.models.base import HistoryModel

V, d = 30, 6

whole_numbers = hnp.arrays(
    np.int8,
    st.tuples(st.integers(1, 9), st.integers(1, 5).map(lambda pairs: 2 * pairs)),
    elements=st.integers(-8, 7),
)


def table(*, items: int = V, embedding_dim: int = d, **settings) -> QuantizedEmbedding:
    model = HistoryModel(num_items=items, max_length=2)
    return QuantizedEmbedding(model, "some", embedding_dim, **settings)


def packed(values: np.ndarray) -> QuantizedEmbedding:
    """A packed table that took over some values."""
    made = table(items=len(values) - 1, embedding_dim=values.shape[1], int4=True)
    made.assign(values)
    return made


def random_values(rows: int = V + 1, embedding_dim: int = d, seed: int = 0) -> np.ndarray:
    """float32, rows of very different lengths and one of zeros."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, embedding_dim)) * random.lognormal(0, 1, (rows, 1))
    values[0] = 0
    return values.astype(np.float32)


def rows_of_any_length() -> st.SearchStrategy[np.ndarray]:
    """Tables whose rows differ in their largest by a factor of at most 1e12, or are zero."""
    elements = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
    shapes = st.tuples(st.integers(2, 12), st.sampled_from([2, 4, 8]))
    arrays = hnp.arrays(np.float32, shapes, elements=elements)
    return arrays.map(lambda values: np.where(np.abs(values) < 1e-6, np.float32(0), values))


@pytest.fixture(params=[False, True], ids=["floats", "packed"])
def filled(request) -> QuantizedEmbedding:
    made = table(int4=request.param)
    made.assign(random_values())
    return made


def test_floats_are_kept_as_they_are():
    made = table()
    made.assign(random_values())
    np.testing.assert_array_equal(made.numpy(), random_values())


@settings(max_examples=40)
@given(rows_of_any_length())
def test_a_packed_number_is_the_nearest_of_the_steps_of_its_row(values):
    made = packed(values)
    actual, batch = made.numpy().astype(np.float64), made.scale.numpy()[:, None].astype(np.float64)
    # The scale may be a little too small for the largest: that one is cut off.
    within = np.clip(values, -7 * batch, 7 * batch)
    assert (np.abs(actual - within) <= batch / 2 * (1 + 1e-4)).all()


@settings(max_examples=40)
@given(rows_of_any_length())
def test_a_step_is_a_seventh_of_the_largest_up_to_the_coding_of_the_scale(values):
    actual = packed(values).scale.numpy().astype(np.float64)
    expected = np.abs(values).max(axis=1).astype(np.float64) / 7
    # Roots at 255 even distances, of which that of a scale becomes the nearest, and none 0.
    np.testing.assert_array_equal(actual == 0, expected == 0)
    distance = np.sqrt(expected.max()) / 255
    allowed = np.where(np.sqrt(expected) < distance / 2, distance, distance / 2)
    assert (np.abs(np.sqrt(actual) - np.sqrt(expected)) <= allowed * (1 + 1e-4)).all()


@settings(max_examples=40)
@given(rows_of_any_length())
def test_the_largest_of_every_row_that_counts_is_seven_steps(values):
    made = packed(values)
    steps = made.int_values.numpy()
    largest = np.abs(values).max(axis=1)
    counts = largest > 0.01 * largest.max()
    assert (np.abs(steps).max(axis=1)[counts] == 7).all()
    assert not steps[largest == 0].any()
    np.testing.assert_array_equal(steps, np.round(steps))


@settings(max_examples=40)
@given(rows_of_any_length())
def test_what_was_packed_before_becomes_itself(values):
    made = packed(values)
    again = packed(made.numpy())
    np.testing.assert_array_equal(again.nibbles.numpy(), made.nibbles.numpy())
    np.testing.assert_array_equal(again.int_values.numpy(), made.int_values.numpy())
    np.testing.assert_allclose(again.numpy(), made.numpy(), rtol=3e-6)


def test_rows_that_differ_a_hundredfold_are_within_half_a_step_and_a_twentieth():
    values = np.random.default_rng(4).normal(size=(500, 32))
    values *= np.geomspace(1, 100, 500)[:, None] / np.abs(values).max(axis=1, keepdims=True)
    error = np.abs(packed(values.astype(np.float32)).numpy() - values).max(axis=1)
    batch = np.abs(values).max(axis=1) / 7
    assert (error <= batch * 0.5 * 1.05).all()
    assert (error > batch * 0.3).mean() > 0.9


def test_rows_of_whole_steps_keep_their_steps():
    # Steps of 1, 1/2 and 1/4, of which a byte keeps the root to a 255th of the largest.
    steps = np.array([[0, 0, 0, 0], [7, -7, 1, 0], [-3, 7, 5, -6], [2, -1, -7, 4]])
    values = (steps * np.array([[1], [1], [0.5], [0.25]])).astype(np.float32)
    made = packed(values)
    np.testing.assert_array_equal(made.int_values.numpy(), steps)
    np.testing.assert_allclose(made.numpy(), values, rtol=0.01)
    np.testing.assert_array_equal(made.nibbles.numpy(), pack_nibbles(steps))


def test_a_row_is_rounded_by_hand():
    # The largest is 14, a step 2: 1.1 and -2.9 go to the nearest, 5.1 up to 6 and 4.9 down to 4.
    made = packed(np.array([[0] * 6, [14, 1.1, -2.9, 5.1, 4.9, -0.9]], np.float32))
    np.testing.assert_allclose(made.numpy(), [[0] * 6, [14, 2, -2, 6, 4, 0]], rtol=1e-6)


def test_a_table_of_zeros_stays_zero():
    made = packed(np.zeros((V + 1, d), np.float32))
    assert not made.numpy().any()
    assert not made.nibbles.numpy().any()
    assert not made.gather(tf.range(V + 1)).numpy().any()


def test_a_row_of_zeros_between_others_stays_zero_and_scores_zero():
    values = random_values()
    values[7] = 0
    made = packed(values)
    assert not made.gather(tf.constant([0, 7])).numpy().any()
    vectors = tf.constant([np.linspace(1, 2, d), np.linspace(-1, 3, d)], tf.float32)
    actual = made.dot_products(vectors, tf.constant([1])).numpy()
    assert not actual[:, [0, 7]].any()
    assert actual[:, 1:7].all()


@pytest.mark.parametrize("shape", [(5,), (3, 4), (0,), (1,), (2, 0)])
def test_rows_are_what_numpy_reads_in_the_shape_of_the_ids(filled, shape):
    ids = np.random.default_rng(1).integers(0, V + 1, shape).astype(np.int32)
    actual = filled.gather(tf.constant(ids, tf.int32, shape))
    assert actual.dtype == tf.float32
    np.testing.assert_array_equal(actual, filled.numpy()[ids])
    assert actual.shape == (*shape, d)


def test_every_item_has_its_own_row(filled):
    np.testing.assert_array_equal(filled.gather(tf.range(V + 1)), filled.numpy())


@pytest.mark.parametrize("vectors", [1, 3])
def test_products_are_those_of_numpy(filled, vectors):
    some = np.random.default_rng(2).normal(size=(vectors, d)).astype(np.float32)
    expected = some.astype(np.float64) @ filled.numpy().T.astype(np.float64)
    for ids in ([0], [V], [[3, 0], [V, 1]]):
        actual = filled.dot_products(tf.constant(some), tf.constant(ids))
        assert actual.dtype == tf.float32
        assert actual.shape == (vectors, V + 1)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=25)
@given(whole_numbers.filter(lambda steps: len(steps) > 1))
def test_the_bytes_of_rows_and_the_numbers_of_products_are_the_same(steps):
    made = packed(steps.astype(np.float32))
    rows = made.gather(tf.range(len(steps))).numpy()
    # Each unit vector asks the product for one column.
    columns = made.dot_products(tf.eye(steps.shape[1]), tf.constant([1])).numpy()
    np.testing.assert_allclose(columns.T, rows, rtol=1e-6)
    np.testing.assert_allclose(rows, made.numpy(), rtol=1e-6)


def test_every_number_of_four_bits_is_read_from_its_byte():
    made = table(items=0x100 - 1, embedding_dim=2, int4=True)
    made.nibbles.assign(np.arange(256, dtype=np.uint8)[:, None])
    made.scale.assign(np.ones(256, np.float32))
    signed = np.array([0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1])
    expected = [[signed[byte % 16], signed[byte // 16]] for byte in range(256)]
    np.testing.assert_array_equal(made.gather(tf.range(256)), expected)


def test_a_traced_table_takes_any_number_of_ids_and_vectors(filled):
    def answer(ids: tf.Tensor, vectors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = filled.gather(ids)
        assert rows.shape.as_list() == [*ids.shape.as_list(), d]
        return rows, filled.dot_products(vectors, ids)

    random = np.random.default_rng(3)
    for shapes in ([(1,), (4,), (2,)], [(1, 1), (3, 2), (2, 5)]):
        signature = [
            tf.TensorSpec([None] * len(shapes[0]), tf.int32),
            tf.TensorSpec([None, d], tf.float32),
        ]
        traced = tf.function(answer, input_signature=signature)
        for size, shape in enumerate(shapes):
            ids = random.integers(0, V + 1, shape).astype(np.int32)
            vectors = random.normal(size=(size, d)).astype(np.float32)
            rows, products = traced(tf.constant(ids), tf.constant(vectors))
            np.testing.assert_array_equal(rows, filled.numpy()[ids])
            np.testing.assert_allclose(products, vectors @ filled.numpy().T, rtol=1e-4, atol=1e-5)


def test_the_batch_of_a_traced_table_may_be_open_where_the_history_is_not(filled):
    signature = [tf.TensorSpec([None, 4], tf.int32)]
    traced = tf.function(filled.gather, input_signature=signature)
    assert traced.get_concrete_function().structured_outputs.shape.as_list() == [None, 4, d]
    ids = np.arange(12, dtype=np.int32).reshape(3, 4)
    np.testing.assert_array_equal(traced(tf.constant(ids)), filled.numpy()[ids])


def test_only_floats_are_trained():
    for is_packed, expected in ((False, ["some"]), (True, [])):
        model = HistoryModel(num_items=V, max_length=2)
        QuantizedEmbedding(model, "some", d, int4=is_packed)
        assert [one.name.partition(":")[0] for one in model.trainable_weights] == expected


def test_floats_begin_with_the_initializer():
    np.testing.assert_array_equal(table(initializer="ones").numpy(), np.ones((V + 1, d)))


def test_two_numbers_take_one_byte():
    made = table(int4=True)
    assert made.nibbles.dtype == tf.uint8
    assert made.nibbles.shape == (V + 1, d // 2)


def test_an_odd_width_is_refused_where_two_numbers_share_a_byte():
    with pytest.raises(ValueError, match="even for int4, not 7"):
        table(embedding_dim=7, int4=True)
    assert table(embedding_dim=7).numpy().shape == (V + 1, 7)


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("shape", [(V, d), (V + 2, d), (V + 1, d + 2)])
def test_a_table_of_another_shape_is_refused(is_packed, shape):
    with pytest.raises(ValueError, match=str(shape[0])):
        table(int4=is_packed).assign(np.ones(shape, np.float32))


@pytest.mark.parametrize("bits", [4, 8])
def test_valid_bits_are_returned(bits):
    assert check_bits(bits) == bits


@pytest.mark.parametrize("bits", [-4, 0, 2, 3, 5, 7, 16, 32])
def test_other_bits_are_refused_with_their_number(bits):
    with pytest.raises(ValueError, match=f"must be 4 or 8, not {bits}"):
        check_bits(bits)


def test_nibbles_are_hand_computed_the_first_number_in_the_lower_half():
    steps = np.array([[1, 2, 0, 7], [-1, 7, -8, 0], [-7, -7, 3, -1], [7, -8, 0, 0]])
    actual = pack_nibbles(steps)
    assert actual.dtype == np.uint8
    np.testing.assert_array_equal(actual, [[0x21, 0x70], [0x7F, 0x08], [0x99, 0xF3], [0x87, 0x00]])


@settings(max_examples=60)
@example(np.array([[-8, 7]], np.int8))
@given(whole_numbers)
def test_the_halves_of_a_byte_are_the_numbers_in_twos_complement(steps):
    actual = pack_nibbles(steps.astype(np.float32)).astype(int)
    assert actual.shape == (len(steps), steps.shape[1] // 2)
    np.testing.assert_array_equal(actual % 16, steps[:, 0::2] % 16)
    np.testing.assert_array_equal(actual // 16, steps[:, 1::2] % 16)

"""Numbers in bit planes: all are unpacked unchanged, and the bytes are checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.backend import tf
from kd_tf.layers.bit_packing import MAX_BITS, BitPackedInts, compute_packed_bytes
from kd_tf.models.base import HistoryModel


def planes(numbers: list[int], bits: int) -> tuple[HistoryModel, BitPackedInts]:
    """Filled, and the model that they belong to."""
    model = HistoryModel(num_items=2, max_length=2)
    made = BitPackedInts(model, "some", count=len(numbers), bits=bits)
    made.assign(np.array(numbers, np.int64))
    return model, made


def stored(model: HistoryModel) -> dict[str, list[int]]:
    return {
        weight.name.split(":")[0]: weight.numpy().tolist()
        for weight in model.weights
        if "some" in weight.name
    }


def test_five_bits_by_hand():
    # 5 = 4 + 1: the lower four bits two in a byte, the fifth of eight numbers in one.
    model, _ = planes([0b10011, 0b00001, 0b11110], 5)
    assert stored(model) == {"some_4": [0x13, 0x0E], "some_1": [0b101]}


def test_eighteen_bits_by_hand():
    # 18 = 16 + 2; what is stored of 16 bits is 2^15 less.
    model, _ = planes([0x2FFFF, 0x10000, 1], 18)
    assert stored(model) == {"some_16": [32767, -32768, -32767], "some_2": [0b000110]}


@settings(max_examples=60)
@given(st.data())
def test_every_number_comes_back_in_numpy_and_in_the_graph(data):
    bits = data.draw(st.integers(1, MAX_BITS))
    some = st.sampled_from([0, 1, 2**bits - 1, 2 ** (bits - 1)]) | st.integers(0, 2**bits - 1)
    numbers = data.draw(st.lists(some, max_size=40))
    _, made = planes(numbers, bits)
    assert made.numpy().tolist() == numbers
    assert made.numpy().dtype == np.int64
    places = np.array(data.draw(st.permutations(range(len(numbers)))), np.int32)
    actual = made.gather(tf.constant(places))
    assert actual.dtype == tf.int32
    assert actual.numpy().tolist() == [numbers[place] for place in places]


def test_places_keep_their_shape():
    _, made = planes(list(range(12)), 4)
    assert made.gather(tf.constant([[0, 11], [5, 5]])).numpy().tolist() == [[0, 11], [5, 5]]


@pytest.mark.slow
@pytest.mark.parametrize("bits", range(1, MAX_BITS + 1))
def test_a_plane_wastes_less_than_a_byte(bits):
    for count in (1, 2, 7, 8, 9, 1000):
        model, made = planes([0] * count, bits)
        real = sum(weight.numpy().nbytes for weight in model.weights if "some" in weight.name)
        assert made.num_bytes == compute_packed_bytes(count, bits) == real
        assert count * bits / 8 <= real < count * bits / 8 + bin(bits).count("1")


@pytest.mark.parametrize("numbers", [[16], [-1], [3, 99]])
def test_numbers_of_more_bits_are_refused(numbers):
    with pytest.raises(ValueError, match="negative or has more than 4 bits"):
        planes(numbers, 4)


def test_another_count_is_refused():
    _, made = planes([1, 2], 4)
    with pytest.raises(ValueError, match=r"2 numbers are needed, not \[3\]"):
        made.assign(np.zeros(3, np.int64))


@pytest.mark.parametrize(("count", "bits"), [(-1, 4), (3, 0), (3, MAX_BITS + 1)])
def test_sizes_that_cannot_be_are_refused(count, bits):
    with pytest.raises(ValueError, match=f"{count} numbers of {bits} bits"):
        BitPackedInts(HistoryModel(num_items=2, max_length=2), "some", count=count, bits=bits)


def test_nothing_is_stored_and_read_back():
    _, made = planes([], 18)
    assert made.numpy().tolist() == []
    assert made.gather(tf.zeros([0], tf.int32)).numpy().tolist() == []

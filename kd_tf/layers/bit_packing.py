"""Integers of any bit width, packed so that each can be read on its own in few look-ups."""

from __future__ import annotations

import functools
import operator

import numpy as np

from kd_tf.backend import keras, tf

MAX_BITS = 30
"""Largest bit width of a number: all arithmetic is int32."""

_PLANE_WIDTHS = (16, 8, 4, 2, 1)

_INT16_OFFSET = 2**15
"""Subtracted from 16-bit parts for storage: runtimes gather int16, but not uint16."""


class BitPackedInts:
    """Stores n integers of b bits in b * n / 8 bytes; each can be read on its own.

    The bit width b is a sum of powers of two, so a number is split into parts of 16, 8, 4, 2 and 1
    bits, the lowest bits in the widest part. All parts of one width form a plane, where they fill
    whole bytes side by side: no part crosses a byte, and most numbers are read with two look-ups.
    One contiguous bit string would need four look-ups and the arithmetic to join them.

    Args:
        model: The model that the weights are added to.
        name: Prefix of the weights' names.
        count: n.
        bits: b, 1 to `MAX_BITS`.

    Raises:
        ValueError: `count` is negative or `bits` is out of range.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import keras, tf
        >>> packed = BitPackedInts(keras.Model(), "ids", count=4, bits=10)
        >>> packed.assign(np.array([1000, 0, 3, 512]))
        >>> packed.gather(tf.constant([3, 0])).numpy()
        array([ 512, 1000], dtype=int32)
        >>> packed.num_bytes
        5
    """

    def __init__(self, model: keras.Model, name: str, *, count: int, bits: int) -> None:
        if count < 0 or not 1 <= bits <= MAX_BITS:
            raise ValueError(f"{count} numbers of {bits} bits cannot be stored")
        self.count, self.bits = count, bits
        self._planes = {
            width: model.add_weight(
                name=f"{name}_{width}",
                # At least one element, never read: an empty variable cannot be saved.
                shape=(max(-(-count * width // max(width, 8)), 1),),
                dtype="int16" if width == 16 else "uint8",
                initializer="zeros",
                trainable=False,
            )
            for width in _split_into_widths(bits)
        }

    def assign(self, numbers: np.ndarray) -> None:
        """Stores the numbers, int64 [n], each at least 0 and below 2^b.

        Raises:
            ValueError: The count is not n, or a number is out of range.
        """
        if numbers.shape != (self.count,):
            raise ValueError(f"{self.count} numbers are needed, not {list(numbers.shape)}")
        if self.count and not 0 <= numbers.min() <= numbers.max() < 2**self.bits:
            raise ValueError(f"a number is negative or has more than {self.bits} bits")
        shift = 0
        for width, plane in self._planes.items():
            parts = (numbers >> shift) & (2**width - 1)
            shift += width
            if width < 8:
                slots = 8 // width
                rows = np.zeros(plane.shape[0] * slots, np.int64)
                rows[: self.count] = parts
                parts = (rows.reshape(-1, slots) << np.arange(slots) * width).sum(axis=1)
            elif not self.count:
                parts = np.zeros(1, np.int64)
            plane.assign(parts - _INT16_OFFSET if width == 16 else parts)

    def numpy(self) -> np.ndarray:
        """Returns the numbers: int64 [n]."""
        numbers = np.zeros(self.count, np.int64)
        shift = 0
        for width, plane in self._planes.items():
            parts = plane.numpy().astype(np.int64)
            if width == 16:
                parts += _INT16_OFFSET
            if width < 8:
                shifts = np.arange(8 // width) * width
                parts = (parts[:, None] >> shifts & (2**width - 1)).ravel()
            numbers |= parts[: self.count] << shift
            shift += width
        return numbers

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """Looks up the numbers at `indices`: int32, in the shape of `indices`."""
        parts: list[tf.Tensor] = []
        shift = 0
        for width, plane in self._planes.items():
            if width >= 8:
                part = tf.cast(tf.gather(plane, indices), tf.int32)
            else:
                slots = 8 // width
                byte = tf.cast(tf.gather(plane, indices // slots), tf.int32)
                power = tf.gather(
                    tf.constant(2 ** (np.arange(slots) * width), tf.int32),
                    tf.math.floormod(indices, slots),
                )
                part = tf.math.floormod(byte // power, 2**width)
            if width == 16:
                part += _INT16_OFFSET
            parts.append(part * 2**shift if shift else part)
            shift += width
        return functools.reduce(operator.add, parts)

    @property
    def num_bytes(self) -> int:
        """Bytes in a file."""
        return compute_packed_bytes(self.count, self.bits)


def compute_packed_bytes(count: int, bits: int) -> int:
    """Computes how many bytes `count` numbers of `bits` bits take in a file."""
    return sum(-(-count * width // 8) for width in _split_into_widths(bits))


def _split_into_widths(bits: int) -> list[int]:
    """Returns the plane widths that add up to `bits`, widest first."""
    return [width for width in _PLANE_WIDTHS if bits & width]

"""Whole numbers of few bits, stored in parts that a runtime looks up in few steps."""

from __future__ import annotations

import functools
import operator

import numpy as np

from kd_tf.backend import keras, tf

MAX_BITS = 30
"""Of one number: all arithmetic is int32."""

_PLANE_WIDTHS = (16, 8, 4, 2, 1)

_INT16_OFFSET = 2**15
"""What is taken from a part of 16 bits: runtimes look up int16, not uint16."""


class BitPackedInts:
    """n numbers of b bits in b * n / 8 bytes, each readable on its own.

    A number is cut into planes of 16, 8, 4, 2 and 1 bits, the lowest first, as its bits are the sum
    of such widths. Parts of a plane lie side by side in whole bytes, so that none crosses a byte
    and most numbers are read from two places; one string of bits would need four and the arithmetic
    to put them together.

    Args:
        model: Whose weights they become.
        name: Of the weights.
        count: n.
        bits: b, 1 to `MOST_BITS`.
    """

    def __init__(self, model: keras.Model, name: str, *, count: int, bits: int) -> None:
        if count < 0 or not 1 <= bits <= MAX_BITS:
            raise ValueError(f"{count} numbers of {bits} bits cannot be stored")
        self.count, self.bits = count, bits
        self._planes = {
            width: model.add_weight(
                name=f"{name}_{width}",
                # At least one, never read: a variable without elements cannot be saved.
                shape=(max(-(-count * width // max(width, 8)), 1),),
                dtype="int16" if width == 16 else "uint8",
                initializer="zeros",
                trainable=False,
            )
            for width in _split_into_widths(bits)
        }

    def assign(self, numbers: np.ndarray) -> None:
        """Takes over int64 [n], each at least 0 and below 2^b.

        Raises:
            ValueError: There are more or fewer, or one is out of range.
        """
        if numbers.shape != (self.count,):
            raise ValueError(f"{self.count} numbers are needed, not {list(numbers.shape)}")
        if self.count and not 0 <= numbers.min() <= numbers.max() < 2**self.bits:
            raise ValueError(f"a number is negative or has more than {self.bits} bits")
        place = 0
        for width, plane in self._planes.items():
            parts = (numbers >> place) & (2**width - 1)
            place += width
            if width < 8:
                slots = 8 // width
                rows = np.zeros(plane.shape[0] * slots, np.int64)
                rows[: self.count] = parts
                parts = (rows.reshape(-1, slots) << np.arange(slots) * width).sum(axis=1)
            elif not self.count:
                parts = np.zeros(1, np.int64)
            plane.assign(parts - _INT16_OFFSET if width == 16 else parts)

    def numpy(self) -> np.ndarray:
        """int64 [n]."""
        numbers = np.zeros(self.count, np.int64)
        place = 0
        for width, plane in self._planes.items():
            parts = plane.numpy().astype(np.int64)
            if width == 16:
                parts += _INT16_OFFSET
            if width < 8:
                shifts = np.arange(8 // width) * width
                parts = (parts[:, None] >> shifts & (2**width - 1)).ravel()
            numbers |= parts[: self.count] << place
            place += width
        return numbers

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """int32, in the shape of `places`: the numbers that stand there."""
        parts: list[tf.Tensor] = []
        place = 0
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
            parts.append(part * 2**place if place else part)
            place += width
        return functools.reduce(operator.add, parts)

    @property
    def num_bytes(self) -> int:
        """What they take in a file."""
        return compute_packed_bytes(self.count, self.bits)


def compute_packed_bytes(count: int, bits: int) -> int:
    """What `count` numbers of `bits` bits take."""
    return sum(-(-count * width // 8) for width in _split_into_widths(bits))


def _split_into_widths(bits: int) -> list[int]:
    """The widths that add up to `bits`, widest first."""
    return [width for width in _PLANE_WIDTHS if bits & width]

"""One number a book, as floats to be trained or as bytes to be shipped."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kd_tf.backend import keras, tf

Spacing = Literal["even", "square", "ratio"]


class QuantizedVector:
    """A prior, a bias or a scale of every book.

    Coded, it takes one byte a book: the number c of one of 256 values.

    - ``even``: low + c * step, for numbers of either sign.
    - ``square``: (c * step)^2, for scales: the larger, the nearer in proportion.
    - ``ratio``: one of a table whose values lie at equal ratios, for scales that span magnitudes.
      A table is looked up a number at a time: for few books at once only.

    Args:
        model: Whose weights it becomes.
        name: Of the weights.
        coded: Whether it is stored in bytes.
        spacing: Of the 256 values.
        start: What all numbers are at first.
    """

    def __init__(
        self,
        model: keras.Model,
        name: str,
        *,
        quantized: bool,
        spacing: Spacing = "even",
        initial_value: float = 0.0,
    ) -> None:
        self.size = model.items + 1
        self.quantized, self.spacing = quantized, spacing
        if quantized:
            self._codes = model.add_weight(
                name=f"{name}_codes",
                shape=(self.size,),
                dtype="uint8",
                initializer="zeros",
                trainable=False,
            )
            self._constants = model.add_weight(
                name=f"{name}_values",
                shape=(_NUM_CONSTANTS[spacing],),
                initializer="zeros",
                trainable=False,
            )
        else:
            self._floats = model.add_weight(
                name=name,
                shape=(self.size,),
                initializer=keras.initializers.Constant(initial_value),
            )

    @property
    def num_bytes(self) -> int:
        """What it takes in a file."""
        return self.size + _NUM_CONSTANTS[self.spacing] * 4 if self.quantized else self.size * 4

    def assign(self, values: np.ndarray) -> None:
        """Takes over float32 [V + 1]; coded, each becomes the nearest of the 256 values.

        What was coded before becomes itself: the least and the greatest number stay as they are.
        Of scales, 0 stays 0 and nothing else becomes it.
        """
        if not self.quantized:
            self._floats.assign(values)
            return
        codes, table = _QUANTIZERS[self.spacing](values)
        self._codes.assign(codes)
        self._constants.assign(table)

    def numpy(self) -> np.ndarray:
        """float32 [V + 1]."""
        if not self.quantized:
            return np.asarray(self._floats.numpy())
        codes, table = self._codes.numpy(), self._constants.numpy()
        if self.spacing == "ratio":
            return np.asarray(table[codes])
        low, step = (table[0], table[1]) if self.spacing == "even" else (np.float32(0), table[0])
        steps = codes.astype(np.float32) * step
        return np.asarray(steps + low if self.spacing == "even" else steps * steps)

    def gather(self, ids: tf.Tensor) -> tf.Tensor:
        """The numbers of some books, in the shape of `ids`."""
        if not self.quantized:
            return tf.gather(self._floats, ids)
        return self._dequantize(tf.gather(self._codes, ids))

    def gather_all(self, ids: tf.Tensor) -> tf.Tensor:
        """The numbers of all books: float32 [V + 1].

        Args:
            ids: Any known ids. Coded, which numbers are read is made to seem to depend on them:
                those of all books would be worked out when the model is converted, and the file
                would hold the floats that the bytes stand for.
        """
        if not self.quantized:
            return self._floats
        row = tf.minimum(tf.reduce_max(ids), 0)
        return self._dequantize(tf.gather(tf.reshape(self._codes, [1, self.size]), row))

    def _dequantize(self, codes: tf.Tensor) -> tf.Tensor:
        if self.spacing == "ratio":
            return tf.gather(self._constants, tf.cast(codes, tf.int32))
        numbers = tf.cast(codes, tf.float32)
        if self.spacing == "even":
            return numbers * self._constants[1] + self._constants[0]
        return tf.square(numbers * self._constants[0])


def _quantize_evenly(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = float(values.min()), float(values.max())
    codes = np.round((values.astype(np.float64) - low) / max(high - low, 1e-30) * 255)
    return codes.astype(np.uint8), np.array([low, (high - low) / 255], np.float32)


def _quantize_by_square(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    roots = np.sqrt(values.astype(np.float64))
    step = float(roots.max()) / 255
    codes = np.round(roots / max(step, 1e-30))
    codes = np.where(values > 0, np.maximum(codes, 1), 0)
    return codes.astype(np.uint8), np.array([step], np.float32)


def _quantize_by_ratio(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    table = np.zeros(256, np.float32)
    codes = np.zeros(len(values), np.uint8)
    there = values > 0
    if there.any():
        low, high = float(values[there].min()), float(values[there].max())
        table[1:] = np.geomspace(low, high, 255) if high > low else high
        step = max(np.log(high / low) / 254, 1e-30)
        codes[there] = np.round(np.log(values[there] / low) / step).astype(np.int64) + 1
    return codes, table


_QUANTIZERS = {"even": _quantize_evenly, "square": _quantize_by_square, "ratio": _quantize_by_ratio}
"""float32 [n] to uint8 [n] and the constants that the bytes count in."""

_NUM_CONSTANTS = {"even": 2, "square": 1, "ratio": 256}
"""How many such constants there are."""

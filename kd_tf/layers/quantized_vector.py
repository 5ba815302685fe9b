"""One number per item: trainable floats, or one byte each for export."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kd_tf.backend import keras, tf

Spacing = Literal["even", "square", "ratio"]


class QuantizedVector:
    """One number per item: a prior, a bias or a scale.

    Quantized, it takes one byte per item: the code c of one of 256 values, spaced as follows.

    - ``even``: low + c * step, for numbers of either sign.
    - ``square``: (c * step)^2, for scales; the relative error falls with size.
    - ``ratio``: a table of values at equal ratios, for scales that span orders of magnitude. Values
      are looked up in the table one by one, so it suits few items at a time.

    Args:
        model: The model that the weights are added to; it has `num_items` V.
        name: Name of the weight, or prefix of the weights' names if quantized.
        is_quantized: True stores bytes, which are not trainable.
        spacing: Spacing of the 256 values.
        initial_value: Initial value of all floats.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import keras
        >>> model = keras.Model()
        >>> model.num_items = 2
        >>> bias = QuantizedVector(model, "bias", is_quantized=True)
        >>> bias.assign(np.array([0.0, 0.3, 1.0], np.float32))
        >>> bias.numpy().round(3)
        array([0.   , 0.302, 1.   ], dtype=float32)
        >>> bias.num_bytes  # one per item and for padding, and two float constants
        11
    """

    def __init__(
        self,
        model: keras.Model,
        name: str,
        *,
        is_quantized: bool,
        spacing: Spacing = "even",
        initial_value: float = 0.0,
    ) -> None:
        self.size = model.num_items + 1
        self.is_quantized, self.spacing = is_quantized, spacing
        if is_quantized:
            self._codes = model.add_weight(
                name=f"{name}_codes",
                shape=(self.size,),
                dtype="uint8",
                initializer="zeros",
                trainable=False,
            )
            self._constants = model.add_weight(
                name=f"{name}_constants",
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
        """Bytes in a file."""
        if not self.is_quantized:
            return int(self.size) * 4
        return int(self.size) + _NUM_CONSTANTS[self.spacing] * 4

    def assign(self, values: np.ndarray) -> None:
        """Stores the numbers, float32 [V + 1]; quantized, each becomes the nearest of 256 values.

        Quantizing is idempotent: the minimum and the maximum are represented exactly. With the
        spacings for scales, 0 stays 0 and no other number becomes 0.
        """
        if not self.is_quantized:
            self._floats.assign(values)
            return
        codes, table = _QUANTIZERS[self.spacing](values)
        self._codes.assign(codes)
        self._constants.assign(table)

    def numpy(self) -> np.ndarray:
        """Returns the numbers as floats: float32 [V + 1]."""
        if not self.is_quantized:
            return np.asarray(self._floats.numpy())
        codes, table = self._codes.numpy(), self._constants.numpy()
        if self.spacing == "ratio":
            return np.asarray(table[codes])
        low, step = (table[0], table[1]) if self.spacing == "even" else (np.float32(0), table[0])
        steps = codes.astype(np.float32) * step
        return np.asarray(steps + low if self.spacing == "even" else steps * steps)

    def gather(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks up the numbers of `ids`: float32, in the shape of `ids`."""
        if not self.is_quantized:
            return tf.gather(self._floats, ids)
        return self._dequantize(tf.gather(self._codes, ids))

    def gather_all(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the numbers of all items: float32 [V + 1].

        Args:
            ids: Any valid ids that depend on the model's input. If quantized, they add a fake data
                dependency: without it the converter folds the dequantized numbers into a float
                constant, and the file stores the floats instead of the bytes.
        """
        if not self.is_quantized:
            return self._floats
        row = tf.minimum(tf.reduce_max(ids), 0)
        return self._dequantize(tf.gather(tf.reshape(self._codes, [1, self.size]), row))

    def _dequantize(self, codes: tf.Tensor) -> tf.Tensor:
        """Converts codes uint8 [...] to float32 [...]."""
        if self.spacing == "ratio":
            return tf.gather(self._constants, tf.cast(codes, tf.int32))
        numbers = tf.cast(codes, tf.float32)
        if self.spacing == "even":
            return numbers * self._constants[1] + self._constants[0]
        return tf.square(numbers * self._constants[0])


def _quantize_evenly(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantizes to evenly spaced values; returns codes uint8 [n] and [low, step]."""
    low, high = float(values.min()), float(values.max())
    codes = np.round((values.astype(np.float64) - low) / max(high - low, 1e-30) * 255)
    return codes.astype(np.uint8), np.array([low, (high - low) / 255], np.float32)


def _quantize_by_square(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantizes to squares of evenly spaced roots; returns codes uint8 [n] and [step]."""
    roots = np.sqrt(values.astype(np.float64))
    step = float(roots.max()) / 255
    codes = np.round(roots / max(step, 1e-30))
    codes = np.where(values > 0, np.maximum(codes, 1), 0)
    return codes.astype(np.uint8), np.array([step], np.float32)


def _quantize_by_ratio(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantizes to a geometric sequence; returns codes uint8 [n] and its 256 values."""
    table = np.zeros(256, np.float32)
    codes = np.zeros(len(values), np.uint8)
    positive = values > 0
    if positive.any():
        low, high = float(values[positive].min()), float(values[positive].max())
        table[1:] = np.geomspace(low, high, 255) if high > low else high
        step = max(np.log(high / low) / 254, 1e-30)
        codes[positive] = np.round(np.log(values[positive] / low) / step).astype(np.int64) + 1
    return codes, table


_QUANTIZERS = {"even": _quantize_evenly, "square": _quantize_by_square, "ratio": _quantize_by_ratio}
"""Per spacing, the function from float32 [n] to codes uint8 [n] and dequantization constants."""

_NUM_CONSTANTS = {"even": 2, "square": 1, "ratio": 256}
"""Per spacing, the number of dequantization constants."""

"""One number a book, as floats to be trained or as bytes to be shipped."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kd_tf.keras import keras, tf

Spacing = Literal["even", "ratio"]


class BookVector:
    """A prior, a bias or a scale of every book.

    Coded, it takes one byte a book: the number of one of 256 values, which lie at even distances
    or, for scales that span magnitudes, at equal ratios.

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
        coded: bool,
        spacing: Spacing = "even",
        start: float = 0.0,
    ) -> None:
        self.size = model.books + 1
        self.coded, self.spacing = coded, spacing
        if coded:
            self._codes = model.add_weight(
                name=f"{name}_codes",
                shape=(self.size,),
                dtype="uint8",
                initializer="zeros",
                trainable=False,
            )
            self._values = model.add_weight(
                name=f"{name}_values", shape=(256,), initializer="zeros", trainable=False
            )
        else:
            self._floats = model.add_weight(
                name=name,
                shape=(self.size,),
                initializer=keras.initializers.Constant(start),
            )

    @property
    def bytes(self) -> int:
        """What it takes in a file."""
        return self.size + 256 * 4 if self.coded else self.size * 4

    def assign(self, values: np.ndarray) -> None:
        """Takes over float32 [V + 1]; coded, each becomes the nearest of the 256 values.

        What was coded before becomes itself: the least and the greatest number stay as they are.
        """
        if not self.coded:
            self._floats.assign(values)
            return
        if self.spacing == "ratio":
            table = np.zeros(256, np.float32)
            there = values > 0
            codes = np.zeros(len(values), np.uint8)
            if there.any():
                low, high = float(values[there].min()), float(values[there].max())
                table[1:] = np.geomspace(low, high, 255) if high > low else high
                step = max(np.log(high / low) / 254, 1e-30)
                codes[there] = np.round(np.log(values[there] / low) / step).astype(np.int64) + 1
        else:
            low, high = float(values.min()), float(values.max())
            table = np.linspace(low, high, 256).astype(np.float32)
            codes = np.round((values - low) / max(high - low, 1e-30) * 255).astype(np.uint8)
        self._codes.assign(codes)
        self._values.assign(table)

    def numpy(self) -> np.ndarray:
        """float32 [V + 1]."""
        if self.coded:
            return np.asarray(self._values.numpy()[self._codes.numpy()])
        return np.asarray(self._floats.numpy())

    def at(self, ids: tf.Tensor) -> tf.Tensor:
        """The numbers of some books, in the shape of `ids`."""
        if not self.coded:
            return tf.gather(self._floats, ids)
        return tf.gather(self._values, tf.cast(tf.gather(self._codes, ids), tf.int32))

    def all(self, ids: tf.Tensor) -> tf.Tensor:
        """The numbers of all books: float32 [V + 1].

        Args:
            ids: Any known ids. Coded, the range of all books is made to seem to depend on them:
                a constant one would be looked up when the model is converted, and the file
                would hold the floats that the bytes stand for.
        """
        if not self.coded:
            return self._floats
        first = tf.minimum(tf.reduce_max(ids), 0)
        return self.at(tf.range(first, self.size))

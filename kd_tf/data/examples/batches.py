"""Streams training examples as shuffled, reproducible batches of a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kd_tf.backend import tf


@dataclass(frozen=True, eq=False)
class Batches:
    """An endless stream of batches ``(inputs, labels)``.

    Epoch e reads pass ``e % passes`` in random order. The arrays may be memory-mapped: only the
    rows of a batch are read. Rows that do not fill a batch are skipped in that epoch; the next
    epoch has another order.

    Attributes:
        inputs: What the model takes, such as histories int32 [passes, rows, L]; or several arrays
            [passes, rows, ...] by name.
        labels: Arrays [passes, rows, ...] by name, among them ``targets``.
        batch_size: Rows in a batch; at most the number of rows.
        seed: Seed of the row order.

    Example:
        >>> import numpy as np
        >>> history = np.array([[[1, 2], [3, 0], [4, 5]]], np.int32)
        >>> batches = Batches(history, {"targets": history}, batch_size=2, seed=0)
        >>> batches.steps_per_epoch
        1
        >>> batch, labels = next(iter(batches.stream()))
        >>> batch.shape, list(labels)
        (TensorShape([2, 2]), ['targets'])
    """

    inputs: np.ndarray | Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        passes, rows = self._shape
        inputs = self.inputs if isinstance(self.inputs, Mapping) else {"inputs": self.inputs}
        for name, array in {**inputs, **self.labels}.items():
            if array.shape[:2] != (passes, rows):
                raise ValueError(
                    f"{name} has shape {array.shape}, but the first input has {passes} passes of "
                    f"{rows} rows"
                )

    @property
    def _shape(self) -> tuple[int, int]:
        """Number of passes, and of rows of each."""
        passes, rows = tf.nest.flatten(self.inputs)[0].shape[:2]
        return int(passes), int(rows)

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in an epoch; a pass smaller than a batch is one batch."""
        return max(self._shape[1] // self.batch_size, 1)

    def stream(self, first_step: int = 0) -> tf.data.Dataset:
        """Returns the endless stream of batches.

        Args:
            first_step: Number of batches to skip, counted from the start of the first epoch, so
                that an interrupted training can resume.
        """
        passes, rows = self._shape
        size = min(self.batch_size, rows)
        arrays = (self.inputs, dict(self.labels))

        def generate() -> Iterator[Any]:
            epoch, begin = divmod(first_step, self.steps_per_epoch)
            while True:
                order = np.random.default_rng([self.seed, epoch]).permutation(rows)
                index = epoch % passes
                for step in range(begin, self.steps_per_epoch):
                    batch_rows = order[step * size : (step + 1) * size]
                    yield _map_arrays(lambda array: array[index][batch_rows], arrays)  # noqa: B023
                epoch, begin = epoch + 1, 0

        signature = _map_arrays(
            lambda array: tf.TensorSpec([size, *array.shape[2:]], array.dtype), arrays
        )
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2)


def _map_arrays(function: Callable[[np.ndarray], Any], arrays: Any) -> Any:
    """Applies a function to every array of nested tuples and mappings."""
    return tf.nest.map_structure(function, arrays)

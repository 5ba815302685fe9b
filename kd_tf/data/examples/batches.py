"""Streams training examples as shuffled, reproducible batches of a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kd_tf.backend import tf


@dataclass(frozen=True, eq=False)
class Batches:
    """An endless stream of batches ``(history, labels)``.

    Epoch e reads pass ``e % passes`` in random order. The arrays may be memory-mapped: only the
    rows of a batch are read. Rows that do not fill a batch are skipped in that epoch; the next
    epoch has another order.

    Attributes:
        history: int32 [passes, users, L].
        labels: Arrays [passes, users, ...] by name, among them ``targets``.
        batch_size: Rows in a batch; at most the number of users.
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

    history: np.ndarray
    labels: Mapping[str, np.ndarray]
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        passes, users = self.history.shape[:2]
        for name, array in self.labels.items():
            if array.shape[:2] != (passes, users):
                raise ValueError(
                    f"{name} has shape {array.shape}, but history has {passes} passes of "
                    f"{users} users"
                )

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in an epoch; a pass smaller than a batch is one batch."""
        return max(int(self.history.shape[1]) // self.batch_size, 1)

    def stream(self, first_step: int = 0) -> tf.data.Dataset:
        """Returns the endless stream of batches.

        Args:
            first_step: Number of batches to skip, counted from the start of the first epoch, so
                that an interrupted training can resume.
        """
        passes, users = self.history.shape[:2]
        size = min(self.batch_size, users)

        def generate() -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
            epoch, begin = divmod(first_step, self.steps_per_epoch)
            while True:
                order = np.random.default_rng([self.seed, epoch]).permutation(users)
                index = epoch % passes
                for step in range(begin, self.steps_per_epoch):
                    rows = order[step * size : (step + 1) * size]
                    yield (
                        self.history[index][rows],
                        {name: array[index][rows] for name, array in self.labels.items()},
                    )
                epoch, begin = epoch + 1, 0

        def spec(array: np.ndarray) -> tf.TensorSpec:
            return tf.TensorSpec([size, *array.shape[2:]], array.dtype)

        signature = (spec(self.history), {name: spec(array) for name, array in self.labels.items()})
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2)

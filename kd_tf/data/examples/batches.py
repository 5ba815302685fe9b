"""Examples as a tf.data stream: one pass an epoch, shuffled, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kd_tf.backend import tf


@dataclass(frozen=True, eq=False)
class Batches:
    """Endless batches ``(history, labels)``; epoch e reads pass ``e % passes`` in random order.

    The arrays may be memory-mapped: only the rows of a batch are read. What does not fill a
    batch is left out of an epoch; another order brings it into the next.

    Attributes:
        history: int32 [passes, readers, L].
        labels: Arrays [passes, readers, ...] by name, among them ``targets``.
        batch_size: Rows a batch; no more than there are readers are taken.
        seed: Orders the rows.
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
                    f"{users} readers"
                )

    @property
    def steps_per_epoch(self) -> int:
        """How many full batches an epoch holds; a pass smaller than a batch is one batch."""
        return max(self.history.shape[1] // self.batch_size, 1)

    def stream(self, first_step: int = 0) -> tf.data.Dataset:
        """The batches from step `first` on, as they follow one another from the first epoch on."""
        passes, users = self.history.shape[:2]
        size = min(self.batch_size, users)

        def generate() -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
            epoch, begin = divmod(first_step, self.steps_per_epoch)
            while True:
                order = np.random.default_rng([self.seed, epoch]).permutation(users)
                part = epoch % passes
                for step in range(begin, self.steps_per_epoch):
                    rows = order[step * size : (step + 1) * size]
                    yield (
                        self.history[part][rows],
                        {name: array[part][rows] for name, array in self.labels.items()},
                    )
                epoch, begin = epoch + 1, 0

        def spec(array: np.ndarray) -> tf.TensorSpec:
            return tf.TensorSpec([size, *array.shape[2:]], array.dtype)

        signature = (spec(self.history), {name: spec(one) for name, one in self.labels.items()})
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2)

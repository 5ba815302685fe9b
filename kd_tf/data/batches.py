"""Examples as a tf.data stream: one pass an epoch, shuffled, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from kd_tf.keras import tf


def steps_per_epoch(readers: int, batch_size: int) -> int:
    """How many full batches a pass holds; a pass smaller than a batch is one batch."""
    return max(readers // batch_size, 1)


def batches(
    history: np.ndarray, labels: Mapping[str, np.ndarray], *, batch_size: int, seed: int
) -> tf.data.Dataset:
    """Endless batches ``(history, labels)``; epoch e reads pass ``e % passes`` in random order.

    The arrays may be memory-mapped: only the rows of a batch are read. What does not fill a
    batch is left out of an epoch; another order brings it into the next.

    Args:
        history: int32 [passes, readers, L].
        labels: Arrays [passes, readers, ...] by name, among them ``targets``.
        batch_size: Rows a batch; no more than there are readers are taken.
        seed: Orders the rows.
    """
    passes, readers = history.shape[:2]
    for name, array in labels.items():
        if array.shape[:2] != (passes, readers):
            raise ValueError(
                f"{name} has shape {array.shape}, but history has {passes} passes of "
                f"{readers} readers"
            )
    size = min(batch_size, readers)
    steps = steps_per_epoch(readers, size)

    def stream() -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        epoch = 0
        while True:
            order = np.random.default_rng([seed, epoch]).permutation(readers)
            part = epoch % passes
            for step in range(steps):
                rows = order[step * size : (step + 1) * size]
                yield history[part][rows], {n: a[part][rows] for n, a in labels.items()}
            epoch += 1

    def spec(array: np.ndarray) -> tf.TensorSpec:
        return tf.TensorSpec([size, *array.shape[2:]], array.dtype)

    signature = (spec(history), {name: spec(array) for name, array in labels.items()})
    return tf.data.Dataset.from_generator(stream, output_signature=signature).prefetch(2)

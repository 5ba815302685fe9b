"""Item kernels, alone or with the weights that they miss most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kd_tf.distill.starts.residual import with_residual
from kd_tf.distill.starts.source import Source, Start
from kd_tf.models.closed_form.kernel import EPOCHS, fit_kernel
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.neighbours import packed_bytes

TARGETS = (15, 50, 150, 300)
"""How many targets a row is fitted to; which is best differs most between data sets."""

SCREENING_EPOCHS = 8
MAX_BOOKS = 50_000
"""Beyond them fitting, and every answer, takes too long."""

MAX_DIMENSIONS = 96


def kernel_starts(source: Source, max_bytes: int) -> Iterator[Start]:
    """One kernel as wide as the bytes allow; the number of targets is tried in short fits."""
    dimensions = _dimensions(source, max_bytes)
    if dimensions is None:
        return
    targets = _best_targets(source, dimensions)
    yield _start(source, dimensions, targets, EPOCHS)


def kernel_residual_starts(source: Source, max_bytes: int) -> Iterator[Start]:
    """A kernel on some of the bytes, and on the others what it gets wrong."""
    books = source.data.split.books
    targets = None
    for share in (0.5, 0.75):
        dimensions = _dimensions(source, int(max_bytes * share))
        if dimensions is None:
            continue
        targets = targets or _best_targets(source, dimensions)
        kernel = _start(source, dimensions, targets, EPOCHS)
        left = max_bytes - _bytes(books, dimensions)
        if left <= packed_bytes(books, books):
            continue
        yield with_residual(source, kernel, "kernel-residual", left)


def _bytes(books: int, dimensions: int) -> int:
    return (books + 1) * (dimensions + 3) + 3 * 1024


def _dimensions(source: Source, max_bytes: int) -> int | None:
    books = source.data.split.books
    if books > MAX_BOOKS:
        return None
    dimensions = (max_bytes - _bytes(books, 0)) // (books + 1)
    # A multiple of 4, which kernels load at once.
    dimensions = min(dimensions, MAX_DIMENSIONS) // 4 * 4
    return dimensions if dimensions >= 4 else None


def _best_targets(source: Source, dimensions: int) -> int:
    longest = int(np.diff(source.rows.indptr).max(initial=1))
    tries = [targets for targets in TARGETS if targets < 2 * longest] or [TARGETS[0]]
    if len(tries) == 1 or not len(source.data.choose):
        return tries[0]

    def reached(targets: int) -> float:
        model = _start(source, dimensions, targets, SCREENING_EPOCHS).model
        found = model.numpy_scores
        return source.data.choose(found)  # type: ignore[arg-type]

    return max(tries, key=reached)


def _start(source: Source, dimensions: int, targets: int, epochs: int) -> Start:
    data = source.data
    kernel = fit_kernel(
        source.rows,
        dimensions=dimensions,
        targets=targets,
        epochs=epochs,
        seed=data.split.seed,
        progress=data.progress,
    )
    model = ItemKernelStudent(
        books=data.split.books, history_length=data.history_length, dimensions=dimensions
    )
    model.create_weights()
    model.assign(kernel.table, kernel.target_bias, kernel.history_bias)
    model.prior.assign(source.prior(source.rows))
    return Start("item-kernel", f"d={dimensions}, {targets} targets a book", model)

"""How long it takes to judge a model on many readers, and how the memory grows with them.

The model is a dot product of a reader's mean book vector with all books, as the students' are.

    python benchmarks/evaluation.py --readers 100000 --books 10000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readers", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--books", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=32)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.books, options.dimensions, options.seed)
        return
    for readers in options.readers:
        # A process of its own: its peak memory is that of this number of readers.
        subprocess.run(
            [
                *(sys.executable, __file__, "--measure", str(readers)),
                *("--books", str(options.books), "--dimensions", str(options.dimensions)),
                *("--seed", str(options.seed)),
            ],
            check=True,
        )


def measure(readers: int, books: int, dimensions: int, seed: int) -> None:
    """All metrics, slices and intervals of one model."""
    from kd_tf.data.histories import Histories
    from kd_tf.data.split import HeldOutSet, Split
    from kd_tf.evaluation.evaluate import TrainingStatistics, evaluate

    random = np.random.default_rng(seed)
    read, hidden = 40, 10
    # Books of a reader are drawn from a window that starts anywhere: each at most once.
    start = random.integers(0, books, (readers, 1))
    step = random.permuted(np.tile(np.arange(5 * (read + hidden)), (readers, 1)), axis=1)
    items = ((start + step[:, : read + hidden]) % books + 1).astype(np.int32)

    def rows(part: np.ndarray) -> Histories:
        return Histories(part.ravel(), np.arange(readers + 1) * part.shape[1])

    held_out = HeldOutSet(
        rows(items[:, :read]), rows(items[:, read:]), np.arange(readers, dtype=np.int32)
    )
    train = Histories(items[:20_000].ravel(), np.arange(min(readers, 20_000) + 1) * (read + hidden))
    split = Split(
        train=train,
        train_readers=np.arange(len(train), dtype=np.int32),
        validation=held_out,
        test=held_out,
        protocol="synthetic",
        seed=seed,
        num_items=books,
    )
    table = random.standard_normal((books + 1, dimensions)).astype(np.float32)
    statistics = TrainingStatistics.from_split(split)

    def score(histories: Histories) -> np.ndarray:
        return np.asarray(histories.to_csr_matrix(books) @ table, np.float32) @ table.T

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    begin = time.perf_counter()
    found = evaluate(score, held_out, statistics)
    measured = time.perf_counter() - begin
    intervals = found.compute_intervals()
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{readers:>9,} readers, {books:,} books: {seconds:6.1f} s, of them "
        f"{seconds - measured:.1f} s for {len(intervals)} bootstrap intervals; peak memory "
        f"{peak:.2f} GB, {before:.2f} GB of it data"
    )


if __name__ == "__main__":
    main()

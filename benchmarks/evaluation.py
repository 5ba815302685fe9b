"""Measures seconds and memory of evaluating a model, by the number of users.

The score of an item is the dot product of its embedding with the sum of the history's embeddings.

    python benchmarks/evaluation.py --users 100000 --items 10000
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
    parser.add_argument("--users", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--embedding-dim", type=int, default=32)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_evaluation(options.measure, options.items, options.embedding_dim, options.seed)
        return
    for num_users in options.users:
        # A separate process, so that its peak memory is that of this number of users.
        subprocess.run(
            [
                *(sys.executable, __file__, "--measure", str(num_users)),
                *("--items", str(options.items), "--embedding-dim", str(options.embedding_dim)),
                *("--seed", str(options.seed)),
            ],
            check=True,
        )


def measure_evaluation(num_users: int, num_items: int, embedding_dim: int, seed: int) -> None:
    """Prints the seconds and the peak memory of all metrics, slices and confidence intervals."""
    from kd_tf.data.histories import Histories
    from kd_tf.data.split import HeldOutSet, Split
    from kd_tf.evaluation.evaluate import TrainingStatistics, evaluate

    random = np.random.default_rng(seed)
    input_length, target_length = 40, 10
    length = input_length + target_length
    # The items of a user come from a window of the catalog, each at most once.
    start = random.integers(0, num_items, (num_users, 1))
    step = random.permuted(np.tile(np.arange(5 * length), (num_users, 1)), axis=1)
    items = ((start + step[:, :length]) % num_items + 1).astype(np.int32)

    def make_histories(rows: np.ndarray) -> Histories:
        return Histories(rows.ravel(), np.arange(len(rows) + 1) * rows.shape[1])

    held_out = HeldOutSet(
        make_histories(items[:, :input_length]),
        make_histories(items[:, input_length:]),
        np.arange(num_users, dtype=np.int32),
    )
    train = make_histories(items[:20_000])
    split = Split(
        train=train,
        train_users=np.arange(len(train), dtype=np.int32),
        validation=held_out,
        test=held_out,
        protocol="synthetic",
        seed=seed,
        num_items=num_items,
    )
    table = random.standard_normal((num_items + 1, embedding_dim)).astype(np.float32)
    statistics = TrainingStatistics.from_split(split)

    def score(histories: Histories) -> np.ndarray:
        return np.asarray(histories.to_csr_matrix(num_items) @ table, np.float32) @ table.T

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    begin = time.perf_counter()
    evaluation = evaluate(score, held_out, statistics)
    metrics_seconds = time.perf_counter() - begin
    intervals = evaluation.compute_intervals()
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{num_users:>9,} users, {num_items:,} items: {seconds:6.1f} s, including "
        f"{seconds - metrics_seconds:.1f} s for {len(intervals)} bootstrap intervals; peak memory "
        f"{peak:.2f} GB, including {before:.2f} GB of data"
    )


if __name__ == "__main__":
    main()

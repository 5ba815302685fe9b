"""How long a large table takes from the file to training batches, and how much memory.

Writes a CSV of synthetic interactions (popular books are read more, readers differ in how much
they read), then, in a fresh process, reads it, cleans it, splits it and cuts histories.

    python benchmarks/data_pipeline.py --interactions 10000000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--readers", type=int, default=200_000)
    parser.add_argument("--books", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "interactions.csv"
        write(table, options.interactions, options.readers, options.books, options.seed)
        print(
            f"{options.interactions:,} rows, {table.stat().st_size / 1e6:.0f} MB of CSV", flush=True
        )
        # A process of its own: its peak memory is that of the work alone.
        subprocess.run([sys.executable, __file__, "--measure", str(table)], check=True)


def write(path: Path, rows: int, readers: int, books: int, seed: int) -> None:
    """Uniformly drawn times, log-normal activity and popularity."""
    random = np.random.default_rng(seed)

    def drawn(n: int) -> np.ndarray:
        weights = random.lognormal(0, 1.2, n).cumsum()
        return np.searchsorted(weights / weights[-1], random.random(rows))

    pl.DataFrame(
        {
            "user": drawn(readers),
            "item": drawn(books),
            "rating": random.integers(1, 6, rows),
            "timestamp": random.integers(1_000_000_000, 1_600_000_000, rows),
        }
    ).write_csv(path)


def measure(path: Path) -> None:
    """Every stage with its seconds and the peak memory so far."""
    from kd_tf.data.clean import CleaningRules, clean
    from kd_tf.data.examples.batches import Batches
    from kd_tf.data.examples.sequences import draw_sequence_examples
    from kd_tf.data.sources.own_tables import InteractionColumns, read_delimited
    from kd_tf.data.splits.unseen_users import split_unseen_users

    begin = last = time.perf_counter()

    def stage(name: str, detail: str) -> None:
        nonlocal last
        now = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{name:<12}{now - last:7.1f} s   peak {peak:5.2f} GB   {detail}", flush=True)
        last = now

    dataset = read_delimited(path, InteractionColumns("user", "item", "rating", "timestamp"))
    stage("read", f"{len(dataset.interactions):,} rows")
    interactions, _ = clean(
        dataset.interactions,
        CleaningRules(min_rating=3, min_user_interactions=5, min_item_interactions=5),
    )
    stage("clean", f"{len(interactions):,} rows of {interactions.num_users:,} readers")
    split = split_unseen_users(interactions, test_users=10_000, validation_users=5_000)
    stage("split", f"{len(split.train):,} training histories")
    examples = draw_sequence_examples(
        split.train, num_passes=1, max_length=50, num_targets=4, chronological=True, seed=0
    )
    stage("histories", f"{examples.examples_per_pass:,} of at most 50 books")
    batches = Batches(examples.history, {"targets": examples.targets}, batch_size=512, seed=0)
    rows = 0
    for history, _ in batches.stream().take(batches.steps_per_epoch):
        rows += len(history)
    stage("tf.data", f"{rows:,} histories in batches of 512")
    print(f"{'all':<12}{time.perf_counter() - begin:7.1f} s")


if __name__ == "__main__":
    main()

"""Measures seconds and memory from a large CSV file to training batches.

Writes a CSV of synthetic interactions (items differ in popularity, users in activity), then reads,
cleans and splits it and draws training histories in a fresh process.

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
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_stages(options.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "interactions.csv"
        write_table(table, options.interactions, options.users, options.items, options.seed)
        print(
            f"{options.interactions:,} rows, {table.stat().st_size / 1e6:.0f} MB of CSV", flush=True
        )
        # A separate process, so that its peak memory does not include writing the table.
        subprocess.run([sys.executable, __file__, "--measure", str(table)], check=True)


def write_table(path: Path, rows: int, num_users: int, num_items: int, seed: int) -> None:
    """Writes random interactions with log-normal activity and popularity and uniform times."""
    random = np.random.default_rng(seed)

    def sample_ids(n: int) -> np.ndarray:
        weights = random.lognormal(0, 1.2, n).cumsum()
        return np.searchsorted(weights / weights[-1], random.random(rows))

    pl.DataFrame(
        {
            "user": sample_ids(num_users),
            "item": sample_ids(num_items),
            "rating": random.integers(1, 6, rows),
            "timestamp": random.integers(1_000_000_000, 1_600_000_000, rows),
        }
    ).write_csv(path)


def measure_stages(path: Path) -> None:
    """Prints the seconds of each stage and the peak memory so far."""
    from kd_tf.data.clean import CleaningRules, clean
    from kd_tf.data.examples.batches import Batches
    from kd_tf.data.examples.sequences import draw_sequence_examples
    from kd_tf.data.sources.own_tables import InteractionColumns, read_delimited
    from kd_tf.data.splits.unseen_users import split_unseen_users

    start = stage_start = time.perf_counter()

    def report_stage(name: str, detail: str) -> None:
        nonlocal stage_start
        now = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{name:<12}{now - stage_start:7.1f} s   peak {peak:5.2f} GB   {detail}", flush=True)
        stage_start = now

    dataset = read_delimited(path, InteractionColumns("user", "item", "rating", "timestamp"))
    report_stage("read", f"{len(dataset.interactions):,} rows")
    interactions, _ = clean(
        dataset.interactions,
        CleaningRules(min_rating=3, min_user_interactions=5, min_item_interactions=5),
    )
    report_stage("clean", f"{len(interactions):,} rows of {interactions.num_users:,} users")
    split = split_unseen_users(interactions, test_users=10_000, validation_users=5_000)
    report_stage("split", f"{len(split.train):,} training histories")
    examples = draw_sequence_examples(
        split.train, num_passes=1, max_length=50, num_targets=4, chronological=True, seed=0
    )
    report_stage("histories", f"{examples.examples_per_pass:,} of at most 50 items")
    batches = Batches(examples.history, {"targets": examples.targets}, batch_size=512, seed=0)
    num_histories = 0
    for history, _ in batches.stream().take(batches.steps_per_epoch):
        num_histories += len(history)
    report_stage("tf.data", f"{num_histories:,} histories in batches of 512")
    print(f"{'total':<12}{time.perf_counter() - start:7.1f} s")


if __name__ == "__main__":
    main()

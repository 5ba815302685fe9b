"""Measures seconds and memory of the teacher and the student for large catalogs.

    python benchmarks/scale.py --items 100000 --interactions 10000000 --history 50
    python benchmarks/scale.py --items 1000000 --interactions 25000000 --history 17

Random users: each has items from three clusters of 200 items, and one item in four from the whole
catalog by a power law. Memory is the peak of the process, TensorFlow's import included.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.distill.warm_start import TeacherItemScores
from kd_tf.distill.warm_start.neighbours import generate_neighbours_starts
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher
from kd_tf.models.training_data import TrainingData


def main() -> None:
    """Prints a line after each stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--history", type=int, default=50, help="mean items per user")
    parser.add_argument("--bytes-per-item", type=int, default=25)
    options = parser.parse_args()
    start_time = time.monotonic()

    def report(stage: str) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{time.monotonic() - start_time:8.1f} s  {peak:5.2f} GB  {stage}", flush=True)

    report("start")
    split = _make_split(options.items, options.interactions, options.history)
    report(f"{len(split.train):,} users, {len(split.train.items):,} interactions generated")
    start_time = time.monotonic()
    data = TrainingData.create(
        split.train,
        split.num_items,
        max_length=50,
        validation_data=ValidationMetric(split.validation, split.num_items, max_users=200),
    )
    teacher = LocalRidgeTeacher(split.num_items, max_length=data.max_length)
    teacher.fit(data.train, validation_data=data.validation_metric)
    report(f"local ridge: {teacher.num_entries:,} weights")
    report(f"teacher: NDCG@10 {data.validation_metric(make_score_fn(teacher)):.4f}")
    source = TeacherItemScores(data, teacher)
    for start in generate_neighbours_starts(source, options.bytes_per_item * options.items):
        report(f"neighbours, {start.description}: {compute_quantized_size(start.model):,} bytes")
        student = snap_to_quantization_grid(start.model)
        report(f"NDCG@10 {data.validation_metric(make_score_fn(student)):.4f}")


def _make_split(num_items: int, num_interactions: int, mean_length: int) -> Split:
    """Makes random users; the first 400 are held out, with 20 % of their items as targets."""
    random = np.random.default_rng(0)
    num_users = num_interactions // mean_length
    lengths = random.poisson(mean_length - 2, num_users) + 2
    row = np.repeat(np.arange(num_users), lengths)
    num_clusters = max(num_items // 200, 1)
    cluster = random.integers(0, num_clusters, num_items)
    order = np.argsort(cluster, kind="stable") + 1
    begin = np.searchsorted(cluster[order - 1], np.arange(num_clusters + 1))
    user_clusters = random.integers(0, num_clusters, (num_users, 3))
    row_cluster = user_clusters[row, random.integers(0, 3, len(row))]
    sizes = np.diff(begin)
    position = begin[row_cluster] + random.random(len(row)) ** 2 * sizes[row_cluster]
    items = order[np.minimum(position.astype(np.int64), num_items - 1)]
    weight = np.cumsum(1 / np.arange(1, num_items + 1) ** 0.8)
    from_catalog = random.random(len(row)) < 0.25
    popular = np.searchsorted(weight / weight[-1], random.random(int(from_catalog.sum())))
    items[from_catalog] = random.permutation(num_items)[np.minimum(popular, num_items - 1)] + 1
    # Each item at most once per user.
    keys = np.unique(row.astype(np.int64) * (num_items + 1) + items)
    row, items = keys // (num_items + 1), (keys % (num_items + 1)).astype(np.int32)
    items = items[np.lexsort((random.random(len(row)), row))]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=num_users))])
    histories = Histories(items, offsets.astype(np.int64))
    held_out_users = np.arange(400)
    position = np.arange(len(items)) - np.repeat(offsets[:-1], np.diff(offsets))
    is_input = position < np.repeat(np.diff(offsets) * 8 // 10, np.diff(offsets))
    held_out = HeldOutSet(
        histories.keep(is_input).take(held_out_users),
        histories.keep(~is_input).take(held_out_users),
        held_out_users.astype(np.int32),
    )
    train_users = np.arange(400, num_users)
    return Split(
        train=histories.take(train_users),
        train_users=train_users.astype(np.int32),
        validation=held_out,
        test=held_out,
        protocol="unseen-users",
        seed=0,
        num_items=num_items,
    )


if __name__ == "__main__":
    main()

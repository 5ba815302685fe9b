"""How long the teacher and the student for large catalogues take, and how much memory.

    python benchmarks/scale.py --books 100000 --interactions 10000000 --history 50
    python benchmarks/scale.py --books 1000000 --interactions 25000000 --history 17

Drawn readers: three of the catalogue's clusters of 200 books each, and one book in four from all,
by a power law. Times are this machine's; memory is the process's peak without TensorFlow's start.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import polars as pl

from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.distill.warm_start import TeacherItemScores
from kd_tf.distill.warm_start.neighbours import generate_neighbours_starts
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher
from kd_tf.models.training_data import TrainingData
from kd_tf.progress import NullProgress


def main() -> None:
    """Prints one line a stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=int, default=100_000)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--history", type=int, default=50)
    parser.add_argument("--bytes-a-book", type=int, default=25)
    asked = parser.parse_args()
    begin = time.monotonic()

    def report(what: str) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{time.monotonic() - begin:8.1f} s  {peak:5.2f} GB  {what}", flush=True)

    report("start")
    split = _drawn(asked.books, asked.interactions, asked.history)
    report(f"{len(split.train):,} readers, {len(split.train.items):,} interactions drawn")
    begin = time.monotonic()
    data = TrainingData(
        split=split,
        catalog=_catalog(asked.books),
        max_length=50,
        validation_metric=ValidationMetric(split.validation, split.num_items, max_users=200),
        progress=NullProgress(),
    )
    teacher = LocalRidgeTeacher.from_training_data(data)
    report(f"local ridge: {teacher.num_entries:,} weights")
    report(f"teacher: NDCG@10 {data.validation_metric(make_score_fn(teacher)):.4f}")
    source = TeacherItemScores(data, teacher)
    for start in generate_neighbours_starts(source, asked.bytes_a_book * asked.books):
        report(f"neighbours, {start.description}: {compute_quantized_size(start.model):,} bytes")
        report(
            f"NDCG@10 {data.validation_metric(make_score_fn(snap_to_quantization_grid(start.model))):.4f}"
        )


def _drawn(books: int, interactions: int, history: int) -> Split:
    random = np.random.default_rng(0)
    readers = interactions // history
    lengths = random.poisson(history - 2, readers) + 2
    row = np.repeat(np.arange(readers), lengths)
    clusters = max(books // 200, 1)
    cluster = random.integers(0, clusters, books)
    order = np.argsort(cluster, kind="stable") + 1
    begin = np.searchsorted(cluster[order - 1], np.arange(clusters + 1))
    own = random.integers(0, clusters, (readers, 3))[row, random.integers(0, 3, len(row))]
    place = begin[own] + random.random(len(row)) ** 2 * (begin[own + 1] - begin[own])
    items = order[np.minimum(place.astype(np.int64), books - 1)]
    weight = np.cumsum(1 / np.arange(1, books + 1) ** 0.8)
    anything = random.random(len(row)) < 0.25
    popular = np.searchsorted(weight / weight[-1], random.random(int(anything.sum())))
    items[anything] = random.permutation(books)[np.minimum(popular, books - 1)] + 1
    # A book once a reader.
    keys = np.unique(row.astype(np.int64) * (books + 1) + items)
    row, items = keys // (books + 1), (keys % (books + 1)).astype(np.int32)
    mixed = np.lexsort((random.random(len(row)), row))
    items = items[mixed]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=readers))])
    whole = Histories(items, offsets.astype(np.int64))
    some = np.arange(400)
    place = np.arange(len(items)) - np.repeat(offsets[:-1], np.diff(offsets))
    shown = place < np.repeat(np.diff(offsets) * 8 // 10, np.diff(offsets))
    held_out = HeldOutSet(
        whole.keep(shown).take(some), whole.keep(~shown).take(some), some.astype(np.int32)
    )
    rest = np.arange(400, readers)
    return Split(
        train=whole.take(rest),
        train_readers=rest.astype(np.int32),
        validation=held_out,
        test=held_out,
        protocol="unseen-users",
        seed=0,
        num_items=books,
    )


def _catalog(books: int) -> Catalog:
    return Catalog(pl.DataFrame({"item_id": np.arange(books).astype(str)}))


if __name__ == "__main__":
    main()

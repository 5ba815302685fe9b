"""Makes a synthetic student and its .tflite files, for benchmarks at any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_tf import atomic, rng
from kd_tf.models.base import HistoryModel
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.measure.interleaved import BenchmarkedModel
from kd_tf.tflite.artifact import compute_floor_bytes
from kd_tf.tflite.benchmark.benchmark import (
    NUM_CANDIDATES,
    NUM_HISTORIES,
    NUM_RECOMMENDATIONS,
    BenchmarkSetup,
)
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.two_stage_search import (
    TwoStageStudent,
    choose_block_size,
    choose_num_probes,
    cluster_items,
)

MIN_TWO_STAGE_ITEMS = 100_000
"""A synthetic student of at least so many items is exported with two-stage search too."""

_ITEMS_PER_GENRE, _GENRES_PER_SECTION = 50, 100
"""Structure of a synthetic catalog: items belong to genres, genres to sections."""


def make_synthetic_student(
    folder: Path,
    num_items: int,
    embedding_dim: int,
    max_length: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> BenchmarkSetup:
    """Exports a synthetic MLP student in all quantizations, with matching histories.

    Its embeddings are random but have the structure of trained ones: items of a genre are similar,
    genres of a section too, some dimensions have a larger variance, and rows differ in norm. Each
    history keeps to a few genres.

    Args:
        folder: Gets the .tflite files.
        num_items: V.
        embedding_dim: d.
        max_length: L.
        seed: Random seed of the student and the histories.
        progress: Where to report; by default nowhere.
    """
    random = np.random.default_rng(seed)
    num_genres = max(num_items // _ITEMS_PER_GENRE, 1)
    num_sections = max(num_genres // _GENRES_PER_SECTION, 1)
    genre = random.integers(0, num_genres, num_items + 1)
    centers = random.standard_normal((num_sections, embedding_dim), np.float32)
    centers = centers[random.integers(0, num_sections, num_genres)]
    centers += 0.7 * random.standard_normal((num_genres, embedding_dim), np.float32)
    table = centers[genre] + 0.5 * random.standard_normal(
        (num_items + 1, embedding_dim), np.float32
    )
    table *= np.arange(1, embedding_dim + 1, dtype=np.float32) ** -0.5
    table *= random.lognormal(0, 0.2, (num_items + 1, 1)).astype(np.float32)
    table /= np.sqrt(np.square(table).sum(axis=1).mean())
    table[0] = 0
    rng.set_seed(seed)
    student = MLPStudent(num_items=num_items, max_length=max_length, embedding_dim=embedding_dim)
    student.create_weights()
    student.table.assign(table)
    student.recency.assign(np.linspace(2, 0, max_length))
    by_genre = np.argsort(genre[1:], kind="stable") + 1
    genre_starts = np.searchsorted(genre[by_genre], np.arange(num_genres + 1))
    sampled_histories = np.zeros((2 * NUM_HISTORIES, max_length), np.int32)
    for row in sampled_histories:
        items = np.unique(
            np.concatenate(
                [
                    by_genre[genre_starts[index] : genre_starts[index + 1]]
                    for index in random.integers(0, num_genres, 3)
                ]
            )
        )
        count = min(int(random.integers(1, max_length + 1)), len(items))
        row[:count] = random.permutation(items)[:count]
    # The first half is for timing, the second for calibration.
    histories, calibration = sampled_histories[:NUM_HISTORIES], sampled_histories[NUM_HISTORIES:]
    setup = BenchmarkSetup(student, histories, num_items)
    exports: dict[str, tuple[HistoryModel, Quantization]] = {
        "kd-tf-int8": (student, Quantization.DYNAMIC_INT8)
    }
    if embedding_dim % 2 == 0:
        exports["kd-tf-int4"] = (student, Quantization.INT4)
    item_ids = None
    if num_items >= MIN_TWO_STAGE_ITEMS:
        order = cluster_items(table, choose_block_size(num_items + 1), seed=seed)
        num_probes = choose_num_probes(student, order, calibration)
        two_stage = TwoStageStudent(student, order, num_probes)
        exports["kd-tf-two-stage"] = (two_stage, Quantization.DYNAMIC_INT8)
        item_ids = np.append(0, order).astype(np.int32)
    with (progress or NullProgress()).task("exporting", len(exports)) as advance:
        for name, (model, quantization) in exports.items():
            path = folder / f"{name}.tflite"
            content = convert(
                model,
                quantization,
                recommendations=min(NUM_RECOMMENDATIONS, num_items),
                candidates=NUM_CANDIDATES,
                calibration=calibration,
            )
            atomic.write_bytes(path, content)
            setup.models.append(
                BenchmarkedModel(
                    name,
                    "tflite",
                    path,
                    compute_floor_bytes(student, quantization),
                    item_ids if model is not student else None,
                )
            )
            advance(1, name)
    return setup

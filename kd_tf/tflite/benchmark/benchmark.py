"""Benchmarks a .tflite file against other runtimes with the same student."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic, rng
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import compute_scores, get_scoring_batch_size
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.bundle import MODEL_FILE, Bundle
from kd_tf.runtime.measure.interleaved import BenchmarkedModel, time_interleaved
from kd_tf.runtime.measure.latency import MIN_RUNS
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.artifact import compute_floor_bytes
from kd_tf.tflite.benchmark import peers
from kd_tf.tflite.checks.contract import is_item
from kd_tf.tflite.checks.numpy_reference import make_numpy_mlp
from kd_tf.tflite.convert import Quantization, convert
from kd_tf.tflite.two_stage_search import (
    TwoStageStudent,
    choose_block_size,
    choose_num_probes,
    cluster_items,
)
from kd_tf.training import checkpoint

COMPETITORS = ("numpy", "onnxruntime", "naive")
"""Runtimes and converters that a file can be compared with."""

NUM_HISTORIES = 200
"""Number of histories that all models get, again and again."""

NUM_RECOMMENDATIONS, NUM_CANDIDATES, TOP_K = 50, 100, 10

MIN_TWO_STAGE_ITEMS = 100_000
"""A synthetic student of at least so many items is exported with two-stage search too."""

_ITEMS_PER_GENRE, _GENRES_PER_SECTION = 50, 100
"""Structure of a synthetic catalog: items belong to genres, genres to sections."""


@dataclass
class BenchmarkSetup:
    """The competing models and the shared input histories.

    Attributes:
        student: The student that all models are made from; None if there is only a file.
        histories: Input of all models, int32 [n, L].
        num_items: V; None if there is only a file.
        models: The models in the order of the table.
    """

    student: HistoryModel | None
    histories: np.ndarray
    num_items: int | None
    models: list[BenchmarkedModel] = field(default_factory=list)


def benchmark(
    target: Path | None,
    *,
    synthetic: tuple[int, int, int] | None = None,
    competitors: Sequence[str] = COMPETITORS,
    threads: Sequence[int] = (1,),
    runs: int = MIN_RUNS,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Times a file, or a synthetic student in all its quantizations, against its competitors.

    Args:
        target: A bundle, a run's folder or a .tflite file. The competitors are made from the
            student of its run.
        synthetic: V, d and L of a synthetic student, instead of a target.
        competitors: Names from `COMPETITORS`.
        threads: Numbers of threads; the whole benchmark runs once for each.
        runs: Number of timed calls per model.
        seed: Random seed of the histories and of the synthetic student.
        progress: Where to report; by default nowhere.

    Returns:
        ``num_items``, ``embedding_dim``, ``max_length``, ``seed``, ``runs`` and ``models``: for
        each its ``name``, ``bytes``, ``floor_bytes``, ``latency_us`` (``p50``, ``p90``, ``p99``),
        ``threads``, ``init_seconds``, ``peak_memory_growth_bytes`` and ``top10_overlap`` with the
        student in float32 (None without a student).

    Raises:
        UserError: The file does not exist, it has no student that `competitors` need, or a model
            cannot be built or run.
    """
    unknown = [name for name in competitors if name not in COMPETITORS]
    if unknown:
        raise UserError(
            f"there is no competitor {unknown[0]!r}",
            where="--competitors",
            hint=f"Use some of {', '.join(COMPETITORS)}.",
        )
    progress = progress or NullProgress()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if synthetic is not None:
            setup = make_synthetic_student(folder, *synthetic, seed=seed, progress=progress)
        elif target is not None:
            setup = open_target(target, seed=seed)
        else:
            raise ValueError("a target or the sizes of a synthetic student are required")
        if competitors:
            _add_competitors(setup, folder, competitors, progress)
        exact_ids = _compute_exact_top_k(setup, progress)
        rows = []
        for count in threads:
            for measurement in time_interleaved(
                setup.models,
                setup.histories,
                threads=count,
                runs=runs,
                progress=progress,
            ):
                model = measurement.model
                rows.append(
                    {
                        "name": model.name,
                        "bytes": model.path.stat().st_size,
                        "floor_bytes": model.floor_bytes,
                        "latency_us": {
                            "p50": measurement.latency.p50,
                            "p90": measurement.latency.p90,
                            "p99": measurement.latency.p99,
                        },
                        "threads": count,
                        "init_seconds": measurement.init_seconds,
                        "peak_memory_growth_bytes": measurement.peak_memory_growth_bytes,
                        "top10_overlap": None
                        if exact_ids is None
                        else _measure_overlap(measurement.ids, exact_ids),
                    }
                )
    return {
        "num_items": setup.num_items,
        "embedding_dim": getattr(setup.student, "embedding_dim", None),
        "max_length": setup.histories.shape[1],
        "seed": seed,
        "runs": runs,
        "models": rows,
    }


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
    sampled = np.zeros((2 * NUM_HISTORIES, max_length), np.int32)
    for row in sampled:
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
    histories, calibration = sampled[:NUM_HISTORIES], sampled[NUM_HISTORIES:]
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


def open_target(target: Path, *, seed: int = 0) -> BenchmarkSetup:
    """Opens a file with its student, if it lies in a run's folder, and makes random histories.

    Args:
        target: A bundle, a run's folder or a .tflite file.
        seed: Random seed of the histories.

    Raises:
        UserError: The file was not exported from the student of its run.
    """
    bundle = None
    if (target / "bundle").is_dir():
        target = target / "bundle"
    if target.is_dir():
        bundle = Bundle.open(target)
        path = bundle.model_path
    else:
        path = target
    model = TFLiteModel(path)
    student = _load_student(path)
    num_items = bundle.config.num_items if bundle else student.num_items if student else None
    if student is not None and (student.num_items, student.max_length) != (
        num_items,
        model.max_length,
    ):
        raise UserError(
            "the file was not exported from the student of this run",
            where=str(path),
            hint="Export the file again.",
        )
    random = np.random.default_rng(seed)
    histories = np.zeros((NUM_HISTORIES, model.max_length), np.int32)
    # A single file does not contain the number of its items. It has at least L + K.
    max_id = num_items or model.max_length + model.k
    for row in histories:
        count = int(random.integers(1, min(model.max_length, max_id) + 1))
        row[:count] = random.choice(max_id, count, replace=False) + 1
    label = bundle.config.quantization if bundle else path.stem
    name = f"kd-tf-{label.removeprefix('dynamic-')}"
    by_name = {quantization.value: quantization for quantization in Quantization}
    quantization = by_name.get(label, Quantization.DYNAMIC_INT8)
    floor_bytes = compute_floor_bytes(student, quantization) if student else path.stat().st_size
    return BenchmarkSetup(
        student, histories, num_items, [BenchmarkedModel(name, "tflite", path, floor_bytes)]
    )


def _load_student(path: Path) -> HistoryModel | None:
    """Loads the distilled student of the run whose bundle/ or artifacts/ contains the file."""
    folder = path.resolve().parent.parent / "student" / "distilled" / "model"
    return checkpoint.load(folder) if folder.is_dir() else None


def _add_competitors(
    setup: BenchmarkSetup, folder: Path, competitors: Sequence[str], progress: Progress
) -> None:
    """Builds the competitors from the student and adds them to the setup."""
    student = setup.student
    if student is None:
        raise UserError(
            "competitors are built from the student of a run, but the file is in no run's folder",
            where=str(setup.models[0].path),
            hint=f"Give a run's folder or its bundle/{MODEL_FILE}, or --competitors '' to measure "
            "the file only.",
        )
    k = TFLiteModel(setup.models[0].path).k
    float_bytes = 4 * checkpoint.count_parameters(student)
    builders: dict[str, Callable[[], Iterator[BenchmarkedModel]]] = {
        "numpy": lambda: _make_numpy_model(student, k, folder, float_bytes),
        "onnxruntime": lambda: _make_onnx_models(student, k, folder, float_bytes),
        "naive": lambda: _make_naive_model(student, k, folder),
    }
    with progress.task("building competitors", len(competitors)) as advance:
        for name in competitors:
            setup.models.extend(builders[name]())
            advance(1, name)


def _make_numpy_model(
    student: HistoryModel, k: int, folder: Path, floor_bytes: int
) -> Iterator[BenchmarkedModel]:
    """Writes the student for the NumPy implementation of `make_numpy_mlp`."""
    path = folder / "numpy.npz"
    make_numpy_mlp(student, k).save(path)
    yield BenchmarkedModel("numpy", "numpy", path, floor_bytes)


def _make_onnx_models(
    student: HistoryModel, k: int, folder: Path, floor_bytes: int
) -> Iterator[BenchmarkedModel]:
    """Exports the student to ONNX, in float32 and in dynamic int8."""
    for name, export, floor in (
        ("onnxruntime-float32", peers.export_onnx_float32, floor_bytes),
        ("onnxruntime-int8", peers.export_onnx_int8, floor_bytes // 4),
    ):
        path = folder / f"{name}.onnx"
        atomic.write_bytes(path, export(student, k))
        yield BenchmarkedModel(name, "onnxruntime", path, floor)


def _make_naive_model(student: HistoryModel, k: int, folder: Path) -> Iterator[BenchmarkedModel]:
    """Converts the student to .tflite in the usual way, without kd_tf's signatures and passes."""
    path = folder / "naive-int8.tflite"
    atomic.write_bytes(path, peers.convert_naive_int8(student, k, NUM_CANDIDATES))
    yield BenchmarkedModel(
        "naive-int8", "tflite", path, compute_floor_bytes(student, Quantization.DYNAMIC_INT8)
    )


def _compute_exact_top_k(setup: BenchmarkSetup, progress: Progress) -> np.ndarray | None:
    """Computes the float32 student's ten best unseen items, int32 [n, 10], padded with 0."""
    student = setup.student
    if student is None:
        return None
    batch_size, k = get_scoring_batch_size(student), min(TOP_K, student.num_items)
    parts = []
    with progress.task("exact scores", len(setup.histories)) as advance:
        for start in range(0, len(setup.histories), batch_size):
            batch = setup.histories[start : start + batch_size]
            scores = compute_scores(student, batch)
            scores[:, 0] = -np.inf
            seen = np.where(is_item(batch, student.num_items), batch, 0)
            scores[np.arange(len(batch))[:, np.newaxis], seen] = -np.inf
            top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            parts.append(np.where(np.isfinite(np.take_along_axis(scores, top, 1)), top, 0))
            advance(len(batch))
    return np.concatenate(parts)


def _measure_overlap(ids: np.ndarray, exact_ids: np.ndarray) -> float:
    """Returns the mean share of `exact_ids` that are among the first ten `ids`."""
    shares = [
        len(set(row[:TOP_K]) & set(exact[exact > 0])) / max(int((exact > 0).sum()), 1)
        for row, exact in zip(ids.tolist(), exact_ids, strict=True)
    ]
    return float(np.mean(shares))

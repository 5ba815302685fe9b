"""A .tflite beside what other tools make of the same student, in one run."""

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
"""What a file can be compared with."""

NUM_HISTORIES = 200
"""So many are asked, again and again."""

NUM_RECOMMENDATIONS, NUM_CANDIDATES, TOP_K = 50, 100, 10

MIN_TWO_STAGE_ITEMS = 100_000
"""Books from which on an invented student is searched in two stages too."""

_ITEMS_PER_GENRE, _GENRES_PER_SECTION = 50, 100
"""Books of a genre and genres of a section in an invented catalogue."""


@dataclass
class BenchmarkSetup:
    """Who takes part, and what all of them are asked.

    Attributes:
        student: What all contestants are made of; None where only a file is known.
        histories: int32 [n, L].
        contestants: In the order of the table.
        books: V; None where only a file is known.
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
    """Times a file, or an invented student in all its forms, beside its peers.

    Args:
        target: A bundle, a run's folder or a .tflite. Its run's student is what peers are made of.
        synthetic: V, d and L of an invented student, instead of a target.
        against: Some of `AGAINST`.
        threads: For each number the whole contest is held once.
        runs: Answers that are timed of each.
        seed: Of the histories and of the invented student.
        progress: Where to report.

    Returns:
        ``books``, ``dimensions``, ``history`` and ``contestants``: for each its ``name``,
        ``bytes``, ``floor_bytes``, ``latency_us`` (``p50``, ``p90``, ``p99``), ``threads``,
        ``init_seconds``, ``peak_memory_growth_bytes`` and ``top10_overlap`` with the student in
        float32 (None where there is no student).

    Raises:
        UserError: There is no such file, it has no student beside it that `against` needs, or a
            contestant cannot be made or run.
    """
    unknown = [name for name in competitors if name not in COMPETITORS]
    if unknown:
        raise UserError(
            f"{unknown[0]!r} is nothing to compare with",
            where="--against",
            hint=f"There are: {', '.join(COMPETITORS)}.",
        )
    progress = progress or NullProgress()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if synthetic is not None:
            setting = make_synthetic_student(folder, *synthetic, seed=seed, progress=progress)
        elif target is not None:
            setting = open_target(target, seed=seed)
        else:
            raise ValueError("a target or the sizes of an invented student are needed")
        if competitors:
            _add_competitors(setting, folder, competitors, progress)
        best = _compute_exact_top_k(setting, progress)
        rows = []
        for count in threads:
            for standing in time_interleaved(
                setting.models,
                setting.histories,
                threads=count,
                runs=runs,
                progress=progress,
            ):
                one = standing.model
                rows.append(
                    {
                        "name": one.name,
                        "bytes": one.path.stat().st_size,
                        "floor_bytes": one.floor_bytes,
                        "latency_us": {
                            "p50": standing.latency.p50,
                            "p90": standing.latency.p90,
                            "p99": standing.latency.p99,
                        },
                        "threads": count,
                        "init_seconds": standing.init_seconds,
                        "peak_memory_growth_bytes": standing.peak_memory_growth_bytes,
                        "top10_overlap": None
                        if best is None
                        else _measure_overlap(standing.ids, best),
                    }
                )
    return {
        "books": setting.num_items,
        "dimensions": getattr(setting.student, "embedding_dim", None),
        "history": setting.histories.shape[1],
        "seed": seed,
        "runs": runs,
        "contestants": rows,
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
    """An MLP student of random weights in all forms, and readers who keep to a few genres.

    Its table has what learnt ones have: books of a genre are alike, genres of a section too, some
    dimensions say more than others, and rows differ in length.
    """
    random = np.random.default_rng(seed)
    genres = max(num_items // _ITEMS_PER_GENRE, 1)
    sections = max(genres // _GENRES_PER_SECTION, 1)
    genre = random.integers(0, genres, num_items + 1)
    centres = random.standard_normal((sections, embedding_dim), np.float32)
    centres = centres[random.integers(0, sections, genres)]
    centres += 0.7 * random.standard_normal((genres, embedding_dim), np.float32)
    table = centres[genre] + 0.5 * random.standard_normal(
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
    first = np.searchsorted(genre[by_genre], np.arange(genres + 1))
    drawn = np.zeros((2 * NUM_HISTORIES, max_length), np.int32)
    for row in drawn:
        liked = np.concatenate(
            [by_genre[first[one] : first[one + 1]] for one in random.integers(0, genres, 3)]
        )
        count = min(int(random.integers(1, max_length + 1)), len(np.unique(liked)))
        row[:count] = random.permutation(np.unique(liked))[:count]
    # The one half measures, the other chooses.
    histories, others = drawn[:NUM_HISTORIES], drawn[NUM_HISTORIES:]
    setting = BenchmarkSetup(student, histories, num_items)
    forms: dict[str, tuple[HistoryModel, Quantization]] = {
        "kd-tf-int8": (student, Quantization.DYNAMIC_INT8)
    }
    if embedding_dim % 2 == 0:
        forms["kd-tf-int4"] = (student, Quantization.INT4)
    numbers = None
    if num_items >= MIN_TWO_STAGE_ITEMS:
        order = cluster_items(table, choose_block_size(num_items + 1), seed=seed)
        blocks = choose_num_probes(student, order, others)
        clustered = TwoStageStudent(student, order, blocks)
        forms["kd-tf-two-stage"] = (clustered, Quantization.DYNAMIC_INT8)
        numbers = np.append(0, order).astype(np.int32)
    with (progress or NullProgress()).task("exporting", len(forms)) as advance:
        for name, (model, form) in forms.items():
            path = folder / f"{name}.tflite"
            content = convert(
                model,
                form,
                recommendations=min(NUM_RECOMMENDATIONS, num_items),
                candidates=NUM_CANDIDATES,
                calibration=others,
            )
            atomic.write_bytes(path, content)
            setting.models.append(
                BenchmarkedModel(
                    name,
                    "tflite",
                    path,
                    compute_floor_bytes(student, form),
                    numbers if model is not student else None,
                )
            )
            advance(1, name)
    return setting


def open_target(target: Path, *, seed: int = 0) -> BenchmarkSetup:
    """A file that exists, and random histories; its student where the run's folder is around it."""
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
    items = bundle.config.num_items if bundle else student.num_items if student else None
    if student is not None and (student.num_items, student.max_length) != (
        items,
        model.max_length,
    ):
        raise UserError(
            "the student of this run is not what the file was made of",
            where=str(path),
            hint="Export the file again.",
        )
    random = np.random.default_rng(seed)
    histories = np.zeros((NUM_HISTORIES, model.max_length), np.int32)
    # A bare file does not say how many books it knows; K beside a full history are certain.
    most = items or model.max_length + model.k
    for row in histories:
        count = int(random.integers(1, min(model.max_length, most) + 1))
        row[:count] = random.choice(most, count, replace=False) + 1
    form = bundle.config.quantization if bundle else path.stem
    name = f"kd-tf-{form.removeprefix('dynamic-')}"
    forms = {one.value: one for one in Quantization}
    quantization = forms.get(form, Quantization.DYNAMIC_INT8)
    floor = compute_floor_bytes(student, quantization) if student else path.stat().st_size
    return BenchmarkSetup(
        student, histories, items, [BenchmarkedModel(name, "tflite", path, floor)]
    )


def _load_student(path: Path) -> HistoryModel | None:
    """The distilled student of the run whose bundle/ or artifacts/ the file lies in."""
    folder = path.resolve().parent.parent / "student" / "distilled" / "model"
    return checkpoint.load(folder) if folder.is_dir() else None


def _add_competitors(
    setting: BenchmarkSetup, folder: Path, competitors: Sequence[str], progress: Progress
) -> None:
    student = setting.student
    if student is None:
        raise UserError(
            "there is no student beside the file that peers could be made of",
            where=str(setting.models[0].path),
            hint=f"Give a run's folder or its bundle/{MODEL_FILE}, or --against '' for the file "
            "alone.",
        )
    K = TFLiteModel(setting.models[0].path).k
    floats = 4 * checkpoint.count_parameters(student)
    made: dict[str, Callable[[], Iterator[BenchmarkedModel]]] = {
        "numpy": lambda: _make_numpy_model(student, K, folder, floats),
        "onnxruntime": lambda: _make_onnx_models(student, K, folder, floats),
        "naive": lambda: _make_naive_model(student, K, folder),
    }
    with progress.task("making peers", len(competitors)) as advance:
        for name in competitors:
            setting.models.extend(made[name]())
            advance(1, name)


def _make_numpy_model(
    student: HistoryModel, K: int, folder: Path, floor: int
) -> Iterator[BenchmarkedModel]:
    path = folder / "numpy.npz"
    make_numpy_mlp(student, K).save(path)
    yield BenchmarkedModel("numpy", "numpy", path, floor)


def _make_onnx_models(
    student: HistoryModel, K: int, folder: Path, floor: int
) -> Iterator[BenchmarkedModel]:
    for name, make, size in (
        ("onnxruntime-float32", peers.export_onnx_float32, floor),
        ("onnxruntime-int8", peers.export_onnx_int8, floor // 4),
    ):
        path = folder / f"{name}.onnx"
        atomic.write_bytes(path, make(student, K))
        yield BenchmarkedModel(name, "onnxruntime", path, size)


def _make_naive_model(student: HistoryModel, K: int, folder: Path) -> Iterator[BenchmarkedModel]:
    path = folder / "naive-int8.tflite"
    atomic.write_bytes(path, peers.convert_naive_int8(student, K, NUM_CANDIDATES))
    yield BenchmarkedModel(
        "naive-int8", "tflite", path, compute_floor_bytes(student, Quantization.DYNAMIC_INT8)
    )


def _compute_exact_top_k(setting: BenchmarkSetup, progress: Progress) -> np.ndarray | None:
    """The student's own ten best books, int32 [n, 10], 0 where none is left."""
    if setting.student is None:
        return None
    rows, width = get_scoring_batch_size(setting.student), min(TOP_K, setting.student.num_items)
    parts = []
    with progress.task("exact answers", len(setting.histories)) as advance:
        for start in range(0, len(setting.histories), rows):
            some = setting.histories[start : start + rows]
            scores = compute_scores(setting.student, some)
            scores[:, 0] = -np.inf
            known = np.where(is_item(some, setting.student.num_items), some, 0)
            scores[np.arange(len(some))[:, np.newaxis], known] = -np.inf
            best = np.argpartition(-scores, width - 1, axis=1)[:, :width]
            parts.append(np.where(np.isfinite(np.take_along_axis(scores, best, 1)), best, 0))
            advance(len(some))
    return np.concatenate(parts)


def _measure_overlap(ids: np.ndarray, best: np.ndarray) -> float:
    """Mean share of `best` among the first ids of each answer."""
    shares = [
        len(set(row[:TOP_K]) & set(right[right > 0])) / max(int((right > 0).sum()), 1)
        for row, right in zip(ids.tolist(), best, strict=True)
    ]
    return float(np.mean(shares))

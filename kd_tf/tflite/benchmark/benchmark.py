"""Benchmarks a .tflite file against other runtimes with the same student.

This module works with the base install, without TensorFlow, as long as only a file is measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kd_tf.errors import UserError
from kd_tf.extras import is_installed
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import MODEL_FILE
from kd_tf.runtime.measure.interleaved import BenchmarkedModel, time_interleaved
from kd_tf.runtime.measure.latency import MIN_RUNS
from kd_tf.runtime.model import TFLiteModel

if TYPE_CHECKING:
    from kd_tf.models.base import HistoryModel

COMPETITORS = ("numpy", "onnxruntime", "naive")
"""Runtimes and converters that a file can be compared with."""

NUM_HISTORIES = 200
"""Number of histories that all models get, again and again."""

NUM_RECOMMENDATIONS, NUM_CANDIDATES, TOP_K = 50, 100, 10


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
    competitors: Sequence[str] | None = COMPETITORS,
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
        competitors: Names from `COMPETITORS`; None for all that can be built here: none without a
            student, and only those that know its architecture and are installed.
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
        MissingExtraError: A student is needed, but the extra ``train`` is not installed, or
            ONNX Runtime is not.
    """
    unknown = [name for name in competitors or () if name not in COMPETITORS]
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
            from kd_tf.tflite.benchmark.synthetic import make_synthetic_student

            setup = make_synthetic_student(folder, *synthetic, seed=seed, progress=progress)
        elif target is not None:
            # To measure the file alone, nothing but the base install is needed.
            with_student = bool(competitors) or is_installed("tensorflow")
            setup = open_target(target, seed=seed, with_student=with_student)
        else:
            raise ValueError("a target or the sizes of a synthetic student are required")
        if competitors is None and setup.student is None:
            competitors = ()
            progress.warn(
                "the file is measured alone: competitors are built from a run's student, which "
                "needs the folder of the run and kd_tf[train]"
            )
        if competitors and setup.student is None:
            raise UserError(
                "competitors are built from the student of a run, but the file is in no run's "
                "folder",
                where=str(setup.models[0].path),
                hint=f"Give a run's folder or its bundle/{MODEL_FILE}, or --competitors '' to "
                "measure the file only.",
            )
        exact_ids = None
        if setup.student is not None:
            from kd_tf.tflite.benchmark.competitors import add_competitors, compute_exact_top_k

            add_competitors(
                setup,
                folder,
                COMPETITORS if competitors is None else competitors,
                progress,
                skip_impossible=competitors is None,
            )
            exact_ids = compute_exact_top_k(setup.student, setup.histories, progress)
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


def open_target(target: Path, *, seed: int = 0, with_student: bool = True) -> BenchmarkSetup:
    """Opens a file with its student, if it lies in a run's folder, and makes random histories.

    Args:
        target: A bundle, a run's folder or a .tflite file.
        seed: Random seed of the histories.
        with_student: Whether to load the student. That needs the extra ``train``.

    Raises:
        UserError: The file was not exported from the student of its run.
    """
    bundle = None
    if target.is_dir():
        bundle = Bundle.open(target)
        path = bundle.model_path
    else:
        path = target
    with suppress_native_stderr():
        model = TFLiteModel(path)
    label = bundle.config.quantization if bundle else path.stem
    # The student of the run whose bundle/ or artifacts/ contains the file.
    folder = path.resolve().parent.parent / "student" / "distilled" / "model"
    student, floor_bytes = None, path.stat().st_size
    if with_student and folder.is_dir():
        from kd_tf.tflite.benchmark.competitors import compute_floor_bytes_of_label
        from kd_tf.training import checkpoint

        student = checkpoint.load(folder)
        floor_bytes = compute_floor_bytes_of_label(student, label)
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
    name = f"kd-tf-{label.removeprefix('dynamic-')}"
    return BenchmarkSetup(
        student, histories, num_items, [BenchmarkedModel(name, "tflite", path, floor_bytes)]
    )


def _measure_overlap(ids: np.ndarray, exact_ids: np.ndarray) -> float:
    """Returns the mean share of `exact_ids` that are among the first ten `ids`."""
    shares = [
        len(set(row[:TOP_K]) & set(exact[exact > 0])) / max(int((exact > 0).sum()), 1)
        for row, exact in zip(ids.tolist(), exact_ids, strict=True)
    ]
    return float(np.mean(shares))

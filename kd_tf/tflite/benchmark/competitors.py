"""Builds the competitors of a benchmark from the student: NumPy, ONNX Runtime, naive converter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import compute_scores, get_scoring_batch_size
from kd_tf.progress import Progress
from kd_tf.runtime.measure.interleaved import BenchmarkedModel
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.artifact import compute_floor_bytes
from kd_tf.tflite.benchmark import peers
from kd_tf.tflite.benchmark.benchmark import NUM_CANDIDATES, TOP_K, BenchmarkSetup
from kd_tf.tflite.checks.contract import is_item
from kd_tf.tflite.checks.numpy_reference import make_numpy_mlp
from kd_tf.tflite.quantization import Quantization
from kd_tf.training import checkpoint


def add_competitors(
    setup: BenchmarkSetup,
    folder: Path,
    competitors: Sequence[str],
    progress: Progress,
    *,
    skip_impossible: bool = False,
) -> None:
    """Builds the competitors from the student and adds them to the setup.

    Args:
        setup: The benchmark.
        folder: Gets the competitors' files.
        competitors: Names from `kd_tf.tflite.benchmark.benchmark.COMPETITORS`.
        progress: Where to report.
        skip_impossible: Whether to skip, with a warning, what cannot be built.

    Raises:
        UserError: A competitor cannot be built from this student, or is not installed.
    """
    student = setup.student
    if student is None:
        raise ValueError("competitors are built from a student")
    k = TFLiteModel(setup.models[0].path).k
    float_bytes = 4 * checkpoint.count_parameters(student)
    builders: dict[str, Callable[[], Iterator[BenchmarkedModel]]] = {
        "numpy": lambda: _make_numpy_model(student, k, folder, float_bytes),
        "onnxruntime": lambda: _make_onnx_models(student, k, folder, float_bytes),
        "naive": lambda: _make_naive_model(student, k, folder),
    }
    with progress.task("building competitors", len(competitors)) as advance:
        for name in competitors:
            try:
                setup.models.extend(builders[name]())
            except UserError as error:
                if not skip_impossible:
                    raise
                progress.warn(f"{name} is skipped: {error.what}")
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


def compute_exact_top_k(
    student: HistoryModel, histories: np.ndarray, progress: Progress
) -> np.ndarray:
    """Computes the float32 student's ten best unseen items, int32 [n, 10], padded with 0."""
    batch_size, k = get_scoring_batch_size(student), min(TOP_K, student.num_items)
    parts = []
    with progress.task("exact scores", len(histories)) as advance:
        for start in range(0, len(histories), batch_size):
            batch = histories[start : start + batch_size]
            scores = compute_scores(student, batch)
            scores[:, 0] = -np.inf
            seen_ids = np.where(is_item(batch, student.num_items), batch, 0)
            scores[np.arange(len(batch))[:, np.newaxis], seen_ids] = -np.inf
            top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            parts.append(np.where(np.isfinite(np.take_along_axis(scores, top, 1)), top, 0))
            advance(len(batch))
    return np.concatenate(parts)


def compute_floor_bytes_of_label(student: HistoryModel, label: str) -> int:
    """Returns the bytes of the weights in a quantization, by its name.

    Args:
        student: The student.
        label: Name of a quantization. Any other text counts as dynamic-int8.
    """
    by_name = {quantization.value: quantization for quantization in Quantization}
    return compute_floor_bytes(student, by_name.get(label, Quantization.DYNAMIC_INT8))

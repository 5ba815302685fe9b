"""One exported file, measured by running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_tf.compress.storage import compute_quantized_size
from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluate.evaluation import RankFn, TrainingStatistics, evaluate_lists
from kd_tf.models.base import HistoryModel
from kd_tf.runtime.measure.latency import measure_latency, measure_peak_memory
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.compatibility import compute_min_runtime_version
from kd_tf.tflite.checks.parity import check_parity, get_tolerance
from kd_tf.tflite.convert import Quantization
from kd_tf.tflite.two_stage_search import TwoStageStudent
from kd_tf.training import checkpoint

MIN_HISTORIES = 1000
"""With which a file and its student are compared, where there are so many readers."""


@dataclass(frozen=True)
class Artifact:
    """One .tflite, measured by running the file itself.

    Attributes:
        name: Of the variant.
        path: Relative to the run's folder.
        bytes: Of the file.
        floor_bytes: What the weights alone need in this form.
        quantization: The form.
        sparsity: Share of zeros in the student's dense core.
        signatures: What an app can call.
        metrics: On the test readers.
        validation_ndcg: NDCG@10 on the validation readers: what the choice is made by.
        parity: ``histories``, ``top10_overlap`` and ``max_score_error`` against the student, the
            form's bounds, and ``numpy_top10_overlap`` with a plain NumPy evaluation of the weights
            in the file, where the student has one.
        latency_us: ``p50``, ``p90``, ``p99`` in microseconds and ``threads``.
        peak_memory_bytes: Growth of a fresh process that loads and runs the file.
        min_runtime_version: The least TensorFlow Lite version that runs it.
        catalogue_search: ``exact``, or ``two-stage``; then `parity` has ``recall_of_exact``, the
            share of the student's exact ten best books that are found.
    """

    name: str
    path: str
    bytes: int
    floor_bytes: int
    quantization: str
    sparsity: float
    signatures: list[str]
    metrics: dict[str, float]
    validation_ndcg: float
    parity: dict[str, float]
    latency_us: dict[str, float]
    peak_memory_bytes: int
    min_runtime_version: str
    catalog_search: str = "exact"


def measure_artifact(
    path: Path,
    student: HistoryModel,
    quantization: Quantization,
    *,
    quantized_student: HistoryModel,
    split: Split,
    statistics: TrainingStatistics,
    sparsity: float,
    ks: Sequence[int] = (10, 20),
) -> Artifact:
    """Runs a .tflite on every validation and test reader and times it.

    Args:
        path: The file.
        student: What it was converted from.
        quantization: Its form.
        stored: The student with the weights that the file holds (`stored_form`).
        split: Who judges.
        statistics: Of the training part of `split`.
        sparsity: Share of zeros in the student's dense core.
        ks: Lengths of the lists that are measured.

    Raises:
        ParityError: The file does not answer like the student within the form's bound.
    """
    histories = split.test.histories.pad(student.max_length)
    parity = check_parity(
        path.read_bytes(),
        student,
        _collect_histories(MIN_HISTORIES, split, student.max_length),
        quantization=quantization,
        quantized_student=quantized_student,
    )
    in_two_stages = isinstance(student, TwoStageStudent)
    model = TFLiteModel(path)
    rank = make_tflite_ranker(model)
    latency = measure_latency(model, histories)
    return Artifact(
        name=quantization.value,
        path=f"artifacts/{path.name}",
        bytes=path.stat().st_size,
        floor_bytes=compute_floor_bytes(student, quantization),
        quantization=quantization.value,
        sparsity=sparsity,
        signatures=list(model.signatures),
        metrics=evaluate_lists(rank, split.test, statistics, ks=ks).overall,
        validation_ndcg=evaluate_lists(rank, split.validation, statistics, ks=(10,)).overall[
            "ndcg@10"
        ],
        parity={
            "histories": parity.histories,
            "top10_overlap": parity.top10_overlap,
            "max_score_error": parity.max_score_error,
            **(
                {}
                if parity.numpy_overlap is None
                else {"numpy_top10_overlap": parity.numpy_overlap}
            ),
            **({"recall_of_exact": parity.top10_overlap} if in_two_stages else {}),
            "bound_top10_overlap": get_tolerance(student, quantization).min_top10_overlap,
            "bound_score_error": get_tolerance(student, quantization).max_score_error,
        },
        latency_us={
            "p50": latency.p50,
            "p90": latency.p90,
            "p99": latency.p99,
            "threads": latency.threads,
        },
        peak_memory_bytes=measure_peak_memory(path),
        min_runtime_version=compute_min_runtime_version(path.read_bytes()),
        catalog_search="two-stage" if in_two_stages else "exact",
    )


def _collect_histories(count: int, split: Split, length: int) -> np.ndarray:
    """int32 [n, L], real histories: the test readers', and others' where these are few."""
    parts = [split.test.histories.pad(length)]
    for more in (split.validation.histories, split.train):
        missing = count - sum(len(part) for part in parts)
        if missing > 0:
            parts.append(more.take(np.arange(min(missing, len(more)))).pad(length))
    return np.concatenate(parts)


def compute_floor_bytes(student: HistoryModel, quantization: Quantization) -> int:
    """What a student's weights alone need in a form: a file cannot be smaller."""
    if quantization is Quantization.INT4:
        table = sum(
            int(np.prod(getattr(student, name).shape)) for name in student.quantized_weights
        )
        # Two numbers a byte, and a byte a book for the scale of its row.
        return checkpoint.count_parameters(student) - table // 2 + student.table_rows
    floor = checkpoint.count_parameters(student) * quantization.bytes_per_weight
    # Packed weights need less than a byte each.
    return (
        min(floor, compute_quantized_size(student)) if quantization.bytes_per_weight == 1 else floor
    )


def make_tflite_ranker(model: TFLiteModel) -> RankFn:
    """Ranks by running the file, as an app does: its K books without any that were read.

    The file sees the newest L books and leaves those out; an app leaves out the older ones too,
    so lists of readers with more than L books can end early, and so do lists beyond K.
    """

    def rank(histories: Histories, k: int) -> np.ndarray:
        ids, _ = model.recommend_all(histories.pad(model.max_length))
        user = np.arange(len(histories), dtype=np.int64)[:, None]
        width = int(max(ids.max(initial=0), histories.items.max(initial=0))) + 1
        read = np.repeat(user[:, 0], histories.lengths) * width + histories.items
        left = (ids > 0) & ~np.isin(user * width + ids, read)
        order = np.argsort(~left, axis=1, kind="stable")
        moved = np.take_along_axis(np.where(left, ids, 0), order, axis=1)[:, :k]
        best = np.zeros((len(histories), k), np.int32)
        best[:, : moved.shape[1]] = moved
        return best

    return rank

"""Measures an exported .tflite file by running it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.compress.storage import compute_quantized_size
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import Split
from kd_tf.evaluation.evaluate import RankFn, TrainingStatistics, evaluate_lists
from kd_tf.evaluation.top_k import select_unseen_top_k
from kd_tf.models.base import HistoryModel
from kd_tf.runtime.measure.latency import measure_latency, measure_peak_memory
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.compatibility import compute_min_runtime_version
from kd_tf.tflite.checks.parity import check_parity, get_tolerance
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.two_stage_search import TwoStageStudent
from kd_tf.training import checkpoint

MIN_HISTORIES = 1000
"""Number of real histories in the parity check, where the data set has that many users."""


@dataclass(frozen=True)
class Artifact:
    """Measurements of one .tflite file, taken by running the file itself.

    Attributes:
        name: Name of the variant.
        path: Path of the file, relative to the run's folder.
        bytes: Size of the file in bytes.
        sha256: SHA-256 of the file; the bundle takes only a file that has it.
        floor_bytes: Bytes that the weights alone need in this quantization.
        quantization: Quantization of the file.
        sparsity: Share of zeros in the student's dense core.
        signatures: Signatures that an app can call.
        metrics: Ranking metrics on the test users; none without test users.
        validation_ndcg: NDCG@10 on the validation users, used to select the variant to ship; 0
            without validation users.
        parity: ``histories``, ``top10_overlap``, ``max_score_error`` and
            ``max_score_error_share`` against the student (`kd_tf.tflite.checks.parity.Parity`),
            the tolerances of this quantization, and ``numpy_top10_overlap`` with a plain NumPy
            evaluation of the weights in the file, where the student has one.
        latency_us: ``p50``, ``p90``, ``p99`` in microseconds and ``threads``.
        peak_memory_bytes: Memory growth of a fresh process that loads and runs the file.
        min_runtime_version: Oldest TensorFlow Lite version that runs the file.
        catalog_search: ``exact`` or ``two-stage``. With ``two-stage``, `parity` also has
            ``recall_of_exact``, the share of the student's exact top 10 that the file finds.
        slices: By name of the slice, the number of users ``num_users`` and their ``metrics``.
    """

    name: str
    path: str
    bytes: int
    sha256: str
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
    slices: dict[str, dict[str, Any]] = field(default_factory=dict)


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
    """Checks, evaluates and times a .tflite file on all validation and test users.

    Args:
        path: The .tflite file.
        student: The student that the file was converted from.
        quantization: Quantization of the file.
        quantized_student: The student with the weights that the file holds (see
            `kd_tf.tflite.convert.quantize_student`).
        split: Train, validation and test users.
        statistics: Statistics of the training part of `split`.
        sparsity: Share of zeros in the student's dense core.
        ks: Cut-offs k of the metrics.

    Returns:
        The measurements.

    Raises:
        ParityError: The file's answers differ from the student's by more than the tolerance of
            this quantization.
    """
    real_histories = collect_histories(MIN_HISTORIES, split, student.max_length)
    content = path.read_bytes()
    parity = check_parity(
        content,
        student,
        real_histories,
        quantization=quantization,
        quantized_student=quantized_student,
    )
    is_two_stage = isinstance(student, TwoStageStudent)
    model = TFLiteModel(content)
    rank = make_tflite_ranker(model)
    rank_test_items = make_tflite_ranker(model, split.test.candidate_items)
    # Those of the test users come first; without any, those of the training users are timed.
    latency = measure_latency(model, real_histories[: len(split.test.histories) or None])
    evaluation = evaluate_lists(rank_test_items, split.test, statistics, ks=ks)
    # Lists of all items: enough to compare files of one student.
    validation = dataclasses.replace(split.validation, candidate_items=None)
    return Artifact(
        name=quantization.value,
        path=f"artifacts/{path.name}",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        floor_bytes=compute_floor_bytes(student, quantization),
        quantization=quantization.value,
        sparsity=sparsity,
        signatures=list(model.signatures),
        metrics=evaluation.overall,
        validation_ndcg=evaluate_lists(rank, validation, statistics, ks=(10,)).overall.get(
            "ndcg@10", 0.0
        ),
        parity={
            "histories": parity.histories,
            "top10_overlap": parity.top10_overlap,
            "max_score_error": parity.max_score_error,
            "max_score_error_share": parity.max_score_error_share,
            **(
                {}
                if parity.numpy_overlap is None
                else {"numpy_top10_overlap": parity.numpy_overlap}
            ),
            **({"recall_of_exact": parity.top10_overlap} if is_two_stage else {}),
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
        min_runtime_version=compute_min_runtime_version(content),
        catalog_search="two-stage" if is_two_stage else "exact",
        slices=evaluation.describe_slices(),
    )


def collect_histories(count: int, split: Split, length: int) -> np.ndarray:
    """Collects real histories for the parity check.

    Takes all test users. If these are fewer than `count`, validation and then training users
    fill up the rest.

    Returns:
        int32 [n, L], padded with 0.
    """
    parts = [split.test.histories.pad(length)]
    for histories in (split.validation.histories, split.train):
        num_missing = count - sum(len(part) for part in parts)
        if num_missing > 0:
            rows = np.arange(min(num_missing, len(histories)))
            parts.append(histories.take(rows).pad(length))
    return np.concatenate(parts)


def compute_floor_bytes(student: HistoryModel, quantization: Quantization) -> int:
    """Computes the bytes that a student's weights alone need: a file cannot be smaller.

    Args:
        student: The student.
        quantization: Quantization of the file.

    Returns:
        Bytes of all weights without the graph.
    """
    num_parameters = checkpoint.count_parameters(student)
    if quantization is Quantization.INT4:
        table_size = sum(
            int(np.prod(getattr(student, name).shape)) for name in student.quantized_weights
        )
        # Two weights share a byte, and every row has one byte for its scale.
        return num_parameters - table_size // 2 + student.table_rows
    floor = num_parameters * quantization.bytes_per_weight
    if quantization.bytes_per_weight == 1:
        # Packed weights need less than one byte each.
        return min(floor, compute_quantized_size(student))
    return floor


def make_tflite_ranker(model: TFLiteModel, candidate_items: np.ndarray | None = None) -> RankFn:
    """Returns a function that ranks items by running the file, as an app does.

    The file sees the newest L items of a history and never recommends those. An app also removes
    older items of the history. Lists of users with more than L items can therefore be shorter
    than k, and so are all lists where k is larger than K. Missing places are 0.

    Args:
        model: The file.
        candidate_items: int32 [c], the only items to rank, with the signature ``score``; None to
            rank all with ``recommend``.

    Returns:
        A function from histories and k to ids int32 [n, k], best first.
    """
    if candidate_items is not None:
        return _make_candidate_ranker(model, candidate_items)

    def rank(histories: Histories, k: int) -> np.ndarray:
        ids, _ = model.recommend_all(histories.pad(model.max_length))
        row = np.arange(len(histories), dtype=np.int64)[:, None]
        # One number for each pair of a row and an item id.
        width = int(max(ids.max(initial=0), histories.items.max(initial=0))) + 1
        seen_pairs = np.repeat(row[:, 0], histories.lengths) * width + histories.items
        is_valid = (ids > 0) & ~np.isin(row * width + ids, seen_pairs)
        order = np.argsort(~is_valid, axis=1, kind="stable")
        valid_first = np.take_along_axis(np.where(is_valid, ids, 0), order, axis=1)[:, :k]
        ranked_items = np.zeros((len(histories), k), np.int32)
        ranked_items[:, : valid_first.shape[1]] = valid_first
        return ranked_items

    return rank


def _make_candidate_ranker(model: TFLiteModel, candidate_items: np.ndarray) -> RankFn:
    """Returns a function that ranks some items only; see `make_tflite_ranker`."""
    no_history = from_lists([[0][:0]])

    def rank(histories: Histories, k: int) -> np.ndarray:
        width = 1 + int(max(candidate_items.max(), histories.items.max(initial=0)))
        ranked_items = np.empty((len(histories), k), np.int32)
        for row, history in enumerate(histories.pad(model.max_length)):
            scores = np.full((1, width), -np.inf, np.float32)
            scores[0, candidate_items] = model.score(history, candidate_items)
            scores[0, histories[row]] = -np.inf
            ranked_items[row] = select_unseen_top_k(scores, no_history, k)[0]
        return ranked_items

    return rank

"""Exports the student: converts, checks and measures each quantization, and selects one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.compress import prune
from kd_tf.errors import ParityError, UserError
from kd_tf.evaluation.evaluate import TrainingStatistics
from kd_tf.models.base import HistoryModel
from kd_tf.pipeline.stages.cache import hash_arrays
from kd_tf.pipeline.stages.chosen_file import choose_file
from kd_tf.pipeline.stages.examples import draw_calibration_histories, draw_rounding_histories
from kd_tf.pipeline.stages.item_order import ORDER_FILE, ItemOrder, choose_item_order
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.stage_files import map_array, read_record
from kd_tf.tflite.artifact import Artifact, measure_artifact
from kd_tf.tflite.checks.compatibility import check_runtime
from kd_tf.tflite.convert import convert_quantized, quantize_student
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.two_stage_search import TwoStageStudent
from kd_tf.training import checkpoint

ARTIFACTS_FILE = "artifacts.json"
"""File with the measurements of the exported files."""

_OPTIONAL = (Quantization.INT8, Quantization.INT4)
"""A run leaves these quantizations out where they do not pass, unless the settings name them."""

MIN_NDCG_SHARE = 0.99
"""``bundle_quantization = "auto"`` takes the smallest file with at least this share of the best
validation NDCG@10: below, a user would notice; above, bytes matter more."""


def export_artifacts(context: RunContext, student: HistoryModel) -> list[Artifact]:
    """Exports all quantizations of the student, or loads them from the run's cache.

    Args:
        context: The run.
        student: The trained student.

    Returns:
        The .tflite files in the run's ``artifacts`` folder, with their measurements.

    Raises:
        UserError: The student does not support a quantization or the search of the settings.
        ParityError: The outputs of a file differ from those of the student.
    """
    folder = context.folder / "artifacts"
    key = context.cache.make_key(
        student=checkpoint.compute_fingerprint(student),
        export=context.settings.export.model_dump(mode="json", exclude={"bundle_quantization"}),
        test=hash_arrays(context.split.test.histories.items, context.split.test.targets.items),
    )

    def build(temporary: Path) -> None:
        settings = context.settings
        item_order = choose_item_order(
            student,
            context.split,
            settings.export.catalog_search,
            seed=settings.seed,
            progress=context.progress,
        )
        statistics = context.statistics
        if item_order.order is not None:
            np.save(temporary / ORDER_FILE, item_order.order)
            statistics = TrainingStatistics.from_split(item_order.split)
        names = _choose_quantizations(context, item_order.student)
        artifacts = []
        with context.progress.task("exporting", len(names)) as advance:
            for quantization in map(Quantization, names):
                try:
                    artifacts.append(
                        _export_artifact(context, item_order, statistics, quantization, temporary)
                    )
                except ParityError as error:
                    # Only this check shows whether four bits, or the ranges of int8, are enough.
                    # By default that is no error: both are an offer.
                    if quantization not in _OPTIONAL or settings.export.quantizations:
                        raise
                    context.progress.info(f"{quantization.value} is skipped: {error}")
                advance(1, quantization.value)
        atomic.write_json(temporary / ARTIFACTS_FILE, [asdict(artifact) for artifact in artifacts])

    context.cache.build_once(folder, key, build)
    return read_record(folder / ARTIFACTS_FILE, list[Artifact])


def _export_artifact(
    context: RunContext,
    item_order: ItemOrder,
    statistics: TrainingStatistics,
    quantization: Quantization,
    folder: Path,
) -> Artifact:
    """Converts the student to one file, checks its parity and measures it."""
    student = item_order.student
    keras_student = student.student if isinstance(student, TwoStageStudent) else student
    train, L, seed = context.split.train, context.max_length, context.settings.seed
    rounding_histories = item_order.to_file_ids(draw_rounding_histories(train, L, seed=seed))
    calibration = None
    if quantization is Quantization.INT8:
        calibration = item_order.to_file_ids(
            draw_calibration_histories(train, L, num_items=context.split.num_items, seed=seed)
        )
    quantized_student = quantize_student(student, quantization, rounding_histories)
    content = convert_quantized(
        quantized_student,
        quantization,
        recommendations=context.recommendations,
        candidates=context.candidates_per_call,
        calibration=calibration,
    )
    check_runtime(content, context.settings.export.runtime)
    path = folder / f"{quantization.value}.tflite"
    atomic.write_bytes(path, content)
    try:
        return measure_artifact(
            path,
            student,
            quantization,
            quantized_student=quantized_student,
            split=item_order.split,
            statistics=statistics,
            ks=context.ks,
            sparsity=prune.compute_core_sparsity(keras_student)
            if hasattr(keras_student, "core")
            else 0.0,
        )
    except ParityError:
        path.unlink()
        raise


def load_item_order(context: RunContext) -> np.ndarray | None:
    """Returns the catalog's item ID at each position of the files, int32 [V]; None if equal."""
    path = context.folder / "artifacts" / ORDER_FILE
    return np.array(map_array(path)) if path.is_file() else None


def _choose_quantizations(context: RunContext, student: HistoryModel) -> tuple[str, ...]:
    """Returns the quantizations of the settings; by default all that the student supports."""
    names = context.settings.export.quantizations
    if names is None:
        return student.quantizations
    unsupported_names = [name for name in names if name not in student.quantizations]
    if unsupported_names:
        raise UserError(
            f"this student does not support {unsupported_names[0]}",
            where="export.quantizations",
            hint=f"Use one of {', '.join(student.quantizations)}.",
        )
    return names


def choose_artifact(context: RunContext, artifacts: list[Artifact]) -> Artifact:
    """Returns the file to bundle: that of the settings, or the smallest that is good enough.

    Raises:
        UserError: The run left out the quantization of the settings.
    """
    return choose_file(
        artifacts,
        context.settings.export.bundle_quantization,
        lambda artifact: artifact.validation_ndcg,
        lambda best: MIN_NDCG_SHARE * best,
    )

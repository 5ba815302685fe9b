"""The stage that exports: every variant converted, checked and measured, and one chosen."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.compress import prune
from kd_tf.errors import ParityError, UserError
from kd_tf.evaluate.evaluation import TrainingStatistics
from kd_tf.models.base import HistoryModel
from kd_tf.pipeline.stages.item_order import ORDER_FILE, ItemOrder, choose_item_order
from kd_tf.pipeline.stages.prepare import draw_calibration_histories
from kd_tf.pipeline.stages.run_context import RunContext, hash_arrays
from kd_tf.tflite.artifact import Artifact, measure_artifact
from kd_tf.tflite.checks.compatibility import check_runtime
from kd_tf.tflite.convert import Quantization, convert_quantized, quantize_student
from kd_tf.tflite.two_stage_search import TwoStageStudent
from kd_tf.training import checkpoint

MIN_NDCG_SHARE = 0.99
"""``ship = "auto"`` takes the smallest file with at least this share of the best validation
NDCG@10: below that a reader would notice, above it bytes matter more."""


def export_artifacts(context: RunContext, student: HistoryModel) -> list[Artifact]:
    folder = context.folder / "artifacts"
    key = context.cache_key(
        student=checkpoint.compute_fingerprint(student),
        export=context.settings.export.model_dump(mode="json", exclude={"ship"}),
        test=hash_arrays(context.split.test.histories.items, context.split.test.targets.items),
    )

    def make(unfinished: Path) -> None:
        settings = context.settings
        layout = choose_item_order(
            student,
            context.split,
            settings.export.catalog_search,
            seed=settings.seed,
            progress=context.progress,
        )
        statistics = context.statistics
        if layout.order is not None:
            np.save(unfinished / ORDER_FILE, layout.order)
            statistics = TrainingStatistics.from_split(layout.split)
        variants = [Quantization(name) for name in _choose_quantizations(context, layout.student)]
        measured = []
        with context.progress.task("exporting", len(variants)) as advance:
            for variant in variants:
                try:
                    measured.append(
                        _export_artifact(context, layout, statistics, variant, unfinished)
                    )
                except ParityError as error:
                    # Whether four bits are enough is seen only here.
                    if variant is not Quantization.INT4 or context.settings.export.quantizations:
                        raise
                    context.progress.info(f"int4 is left out: {error}")
                advance(1, variant.value)
        atomic.write_json(unfinished / "artifacts.json", [asdict(one) for one in measured])

    context.run_cached(folder, key, make)
    listed = json.loads((folder / "artifacts.json").read_text("utf-8"))
    return [Artifact(**one) for one in listed]


def _export_artifact(
    context: RunContext,
    item_order: ItemOrder,
    statistics: TrainingStatistics,
    quantization: Quantization,
    folder: Path,
) -> Artifact:
    student = item_order.student
    plain = student.student if isinstance(student, TwoStageStudent) else student
    histories = item_order.to_file_ids(draw_calibration_histories(context.settings, context.split))
    stored = quantize_student(student, quantization, histories)
    content = convert_quantized(
        stored,
        quantization,
        recommendations=context.settings.export.recommendations,
        candidates=context.settings.export.candidates,
        calibration=histories,
    )
    check_runtime(content, context.settings.export.runtime)
    path = folder / f"{quantization.value}.tflite"
    atomic.write_bytes(path, content)
    try:
        return measure_artifact(
            path,
            student,
            quantization,
            quantized_student=stored,
            split=item_order.split,
            statistics=statistics,
            ks=context.ks,
            sparsity=prune.compute_core_sparsity(plain) if hasattr(plain, "core") else 0.0,
        )
    except ParityError:
        path.unlink()
        raise


def load_item_order(context: RunContext) -> np.ndarray | None:
    """int32 [V], the catalogue's book at each place of the files; None where it is the same."""
    path = context.folder / "artifacts" / ORDER_FILE
    return np.load(path, allow_pickle=False) if path.is_file() else None


def _choose_quantizations(context: RunContext, student: HistoryModel) -> tuple[str, ...]:
    wanted = context.settings.export.quantizations
    if wanted is None:
        return student.quantizations
    refused = [name for name in wanted if name not in student.quantizations]
    if refused:
        raise UserError(
            f"{refused[0]} is not a form of this student",
            where="export.variants",
            hint=f"There are: {', '.join(student.quantizations)}.",
        )
    return wanted


def choose_artifact(context: RunContext, artifacts: list[Artifact]) -> Artifact:
    ship = context.settings.export.bundle_quantization
    if ship != "auto":
        return next(one for one in artifacts if one.name == ship)
    best = max(one.validation_ndcg for one in artifacts)
    good = [one for one in artifacts if one.validation_ndcg >= MIN_NDCG_SHARE * best]
    return min(good, key=lambda one: one.bytes)

"""The stage that exports: every variant converted, checked and measured, and one chosen."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.compress import prune
from kd_tf.errors import ParityError, UserError
from kd_tf.evaluate.protocol import TrainingStatistics
from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.pipeline.context import Context, digest
from kd_tf.pipeline.layout import ORDER, Layout, laid_out
from kd_tf.pipeline.sources import calibration
from kd_tf.tflite.artifact import Artifact, measure
from kd_tf.tflite.clustered import ClusteredStudent
from kd_tf.tflite.compatibility import check_runtime
from kd_tf.tflite.convert import Quantization, convert_stored, stored_form

SHIP_WITHIN = 0.99
"""``ship = "auto"`` takes the smallest file with at least this share of the best validation
NDCG@10: below that a reader would notice, above it bytes matter more."""


def artifacts(context: Context, student: HistoryModel) -> list[Artifact]:
    folder = context.folder / "artifacts"
    key = context.key(
        student=checkpoint.fingerprint(student),
        export=context.settings.export.model_dump(mode="json", exclude={"ship"}),
        test=digest(context.split.test.histories.items, context.split.test.targets.items),
    )

    def make(unfinished: Path) -> None:
        settings = context.settings
        layout = laid_out(
            student,
            context.split,
            settings.export.catalogue_search,
            seed=settings.seed,
            progress=context.progress,
        )
        statistics = context.statistics
        if layout.order is not None:
            np.save(unfinished / ORDER, layout.order)
            statistics = TrainingStatistics.from_split(layout.split)
        variants = [Quantization(name) for name in _variants(context, layout.student)]
        measured = []
        with context.progress.task("exporting", len(variants)) as advance:
            for variant in variants:
                try:
                    measured.append(_exported(context, layout, statistics, variant, unfinished))
                except ParityError as error:
                    # Whether four bits are enough is seen only here.
                    if variant is not Quantization.INT4 or context.settings.export.variants:
                        raise
                    context.progress.say(f"int4 is left out: {error}")
                advance(1, variant.value)
        atomic.write_json(unfinished / "artifacts.json", [asdict(one) for one in measured])

    context.stage(folder, key, make)
    listed = json.loads((folder / "artifacts.json").read_text("utf-8"))
    return [Artifact(**one) for one in listed]


def _exported(
    context: Context,
    layout: Layout,
    statistics: TrainingStatistics,
    variant: Quantization,
    folder: Path,
) -> Artifact:
    student = layout.student
    plain = student.student if isinstance(student, ClusteredStudent) else student
    histories = layout.histories(calibration(context.settings, context.split))
    stored = stored_form(student, variant, histories)
    content = convert_stored(
        stored,
        variant,
        recommendations=context.settings.export.recommendations,
        candidates=context.settings.export.candidates,
        calibration=histories,
    )
    check_runtime(content, context.settings.export.runtime)
    path = folder / f"{variant.value}.tflite"
    atomic.write_bytes(path, content)
    try:
        return measure(
            path,
            student,
            variant,
            stored=stored,
            split=layout.split,
            statistics=statistics,
            ks=context.ks,
            sparsity=prune.core_sparsity(plain) if hasattr(plain, "core") else 0.0,
        )
    except ParityError:
        path.unlink()
        raise


def bundled_order(context: Context) -> np.ndarray | None:
    """int32 [V], the catalogue's book at each place of the files; None where it is the same."""
    path = context.folder / "artifacts" / ORDER
    return np.load(path, allow_pickle=False) if path.is_file() else None


def _variants(context: Context, student: HistoryModel) -> tuple[str, ...]:
    wanted = context.settings.export.variants
    if wanted is None:
        return student.forms
    refused = [name for name in wanted if name not in student.forms]
    if refused:
        raise UserError(
            f"{refused[0]} is not a form of this student",
            where="export.variants",
            hint=f"There are: {', '.join(student.forms)}.",
        )
    return wanted


def choose(context: Context, measured: list[Artifact]) -> Artifact:
    ship = context.settings.export.ship
    if ship != "auto":
        return next(one for one in measured if one.name == ship)
    best = max(one.validation_ndcg for one in measured)
    good = [one for one in measured if one.validation_ndcg >= SHIP_WITHIN * best]
    return min(good, key=lambda one: one.bytes)

"""The stage that exports: every variant converted, checked and measured, and one chosen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.compress import prune
from kd_tf.data.split import Split
from kd_tf.errors import ParityError, UserError
from kd_tf.evaluate.protocol import TrainingStatistics
from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_table import TiedTableModel
from kd_tf.pipeline.context import Context, digest
from kd_tf.pipeline.sources import calibration
from kd_tf.tflite.artifact import Artifact, measure
from kd_tf.tflite.clustered import (
    ClusteredStudent,
    block_size,
    clustered_order,
    enough_blocks,
)
from kd_tf.tflite.compatibility import check_runtime
from kd_tf.tflite.convert import Quantization, convert, stored_form

ORDER = "order.npy"

TWO_STAGES_FROM = 200_000
"""Books from which on ``catalogue_search = "auto"`` tries two stages."""

CHOOSING_READERS = 500
"""Validation readers who choose how many blocks are read."""

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
        shop = _laid_out(context, student)
        if isinstance(shop.student, ClusteredStudent):
            np.save(unfinished / ORDER, shop.student.order)
        variants = [Quantization(name) for name in _variants(context, shop.student)]
        measured = []
        with context.progress.task("exporting", len(variants)) as advance:
            for variant in variants:
                try:
                    measured.append(_exported(context, shop, variant, unfinished))
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


@dataclass(frozen=True)
class _Shop:
    """What is exported, and who judges it, in the ids of the files."""

    student: HistoryModel
    split: Split
    statistics: TrainingStatistics


def _laid_out(context: Context, student: HistoryModel) -> _Shop:
    """The catalogue as it is, or in an order that two stages can search."""
    as_it_is = _Shop(student, context.split, context.statistics)
    search = context.settings.export.catalogue_search
    tied = isinstance(student, TiedTableModel) and student.scoring_table is student.table
    if search == "exact" or (search == "auto" and not (tied and student.books >= TWO_STAGES_FROM)):
        return as_it_is
    if not tied:
        raise UserError(
            f"a {type(student).__name__} cannot be searched in two stages",
            where="export.catalogue_search",
            hint="mlp, shallow-cnn and multi-interest with one table can; or give exact.",
        )
    with context.progress.task("ordering the catalogue", 1) as advance:
        order = clustered_order(
            student.table.numpy(), block_size(student.books + 1), seed=context.settings.seed
        )
        readers = context.split.validation.histories.padded(student.history_length)
        try:
            probed = enough_blocks(student, order, readers[:CHOOSING_READERS])
        except UserError as error:
            if search == "two-stage":
                raise
            context.progress.say(f"searched exactly: {error.what}")
            return as_it_is
        advance(1)
    clustered = ClusteredStudent(student, order, probed)
    context.progress.say(
        f"searched in two stages: {clustered.probed} of {clustered.blocks} blocks of "
        f"{clustered.rows_a_block} books"
    )
    split = context.split.renumbered(clustered.places)
    return _Shop(clustered, split, TrainingStatistics.from_split(split))


def _exported(context: Context, shop: _Shop, variant: Quantization, folder: Path) -> Artifact:
    student = shop.student
    histories = calibration(context.settings, context.split)
    plain = student
    if isinstance(student, ClusteredStudent):
        histories, plain = student.places[histories], student.student
    content = convert(
        student,
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
            stored=stored_form(student, variant, histories),
            split=shop.split,
            statistics=shop.statistics,
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

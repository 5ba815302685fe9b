"""The stages that make the students: given or found, alone or with the teacher."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kd_tf import rng
from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.distill.warm_start import WARM_STARTS, TeacherItemScores
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.neighbours import compute_packed_size
from kd_tf.pipeline.stages.cached_model import TrainedModel, load_or_train
from kd_tf.pipeline.stages.distillation import DistillationPlan, build_distiller
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.train_student import train_student
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult, train

FINE_TUNING_LEARNING_RATE = 5e-4
"""Larger steps only unlearnt what the start knew, on every data set that was tried."""

MAX_FINE_TUNING_SCORES = 300_000_000
"""Scores of a pass over the readers beyond which fine-tuning is not tried: there it took longer
than all the rest of a run, and on no data set of that size did it gain anything."""

MIN_NDCG_GAIN = 0.0005
"""Fine-tuned weights are kept where validation gains at least this much; less is chance."""


def load_or_train_student(
    context: RunContext,
    name: str,
    teachers: Sequence[TrainedModel] = (),
    *,
    architecture: str | None = None,
) -> TrainedModel:
    """The student, distilled where there are teachers.

    Args:
        context: Of the run.
        name: ``alone`` or ``distilled``.
        teachers: The ensemble's members and the teacher as the last; none for a student of
            readers' books alone.
        kind: Of the student; by default what the settings say.
    """
    settings = context.settings
    architecture = architecture or settings.student.architecture
    teaching = DistillationPlan(settings.distillation, teachers) if teachers else None
    key = context.cache_key(
        student={**settings.student.model_dump(mode="json"), "kind": architecture},
        pruning=settings.pruning.model_dump(mode="json"),
        distillation=settings.distillation.model_dump(mode="json") if teaching else None,
        teacher=checkpoint.compute_fingerprint(teaching.teacher) if teaching else None,
        candidates=str(context.candidates),
    )

    def make(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        if architecture in TRAINED_STUDENTS:
            given = settings.student
            # What `auto` chose is made alone with the same width.
            embedding_dim = (
                _choose_mlp_embedding_dim(context)
                if given.architecture == "auto"
                else given.embedding_dim
            )
            model, training = _train_from_scratch(
                context, name, architecture, embedding_dim, teaching, key
            )
            return model, architecture, training, []
        return _select_and_fine_tune(context, name, architecture, teaching, key)

    return load_or_train(context, f"student-{name}", context.folder / "student" / name, key, make)


def _select_and_fine_tune(
    context: RunContext,
    name: str,
    architecture: str,
    plan: DistillationPlan | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
    """The best student within the bytes, of one family or of all."""
    begin = time.monotonic()
    model, tried = select_student_within_budget(context, name, architecture, plan, key)
    chosen = next(one for one in tried if one.is_chosen)
    epochs = best_epoch = 0
    reached = chosen.validation_ndcg
    if plan is not None and chosen.kind not in TRAINED_STUDENTS:
        training = _fine_tune_if_better(context, model, plan, reached)
        if training is not None:
            epochs, best_epoch, reached = training.epochs, training.best_epoch, training.best_score
    seconds = time.monotonic() - begin
    return (
        snap_to_quantization_grid(model),
        chosen.kind,
        TrainingResult(epochs, best_epoch, reached, seconds),
        tried,
    )


def select_student_within_budget(
    context: RunContext,
    name: str,
    architecture: str,
    plan: DistillationPlan | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, list[CandidateResult]]:
    """The best start within the bytes, of one family or of all, and what it was chosen among.

    Args:
        context: Of the run.
        name: What progress calls the student.
        kind: One of `STARTS`, or ``auto``.
        teaching: Whose rows it starts from; None for readers' books alone.
        key: All that it depends on.

    Raises:
        UserError: None fits into the bytes.
    """
    rng.set_seed(context.settings.seed)
    data = context.make_training_data(context.max_length)
    source = TeacherItemScores(data, plan.teacher if plan else None)
    families = WARM_STARTS if architecture == "auto" else {architecture: WARM_STARTS[architecture]}
    tried: list[CandidateResult] = []
    best: tuple[HistoryModel, CandidateResult] | None = None

    def consider(model: HistoryModel, family: str, setting: str) -> None:
        nonlocal best
        found = CandidateResult(
            family,
            setting,
            compute_quantized_size(model),
            context.validation_metric(make_score_fn(snap_to_quantization_grid(model))),
        )
        context.progress.info(
            f"student {name}: {family} ({setting}), {found.bytes:,} bytes, validation NDCG@10 "
            f"{found.validation_ndcg:.4f}"
        )
        tried.append(found)
        if best is None or found.validation_ndcg > best[1].validation_ndcg:
            best = model, found
            source.best_validation_ndcg = found.validation_ndcg

    for family, starts in families.items():
        for start in starts(source, context.max_bytes):
            consider(start.model, family, start.description)
    if architecture == "auto" and context.trains_quickly:
        embedding_dim = _choose_mlp_embedding_dim(context)
        if embedding_dim:
            model, _ = _train_from_scratch(context, name, "mlp", embedding_dim, plan, key)
            consider(model, "mlp", f"d={embedding_dim}, trained")
    if best is None:
        raise UserError(
            f"no student of {context.split.num_items:,} books fits into {context.max_bytes:,} bytes",
            where="student.max_bytes",
            hint=f"The least that any needs is {_compute_min_bytes(context, architecture):,} bytes"
            + (f" (student.kind {architecture})." if architecture != "auto" else "."),
        )
    model, chosen = best
    return model, [replace(one, is_chosen=one is chosen) for one in tried]


def fine_tune(
    context: RunContext,
    model: HistoryModel,
    plan: DistillationPlan,
    *,
    seed: int,
    label: str,
    keep_start: bool,
) -> TrainingResult:
    """Trains a started student with the Distiller, on what the teacher says alone.

    Args:
        context: Of the run; its settings say how long.
        model: Keeps the weights that validate best.
        teaching: How it is taught.
        seed: Orders the examples.
        label: What the progress bar says.
        keep_start: Whether the weights that it has may be the best.

    Raises:
        UserError: It cannot be taught so, or has nothing that learns.
    """
    if not model.trainable_variables:
        raise UserError(f"a {type(model).__name__} has nothing that learns in steps")
    schedule = replace(
        context.make_schedule(context.settings.student.training),
        epochs=max(context.settings.student.fine_tuning_epochs, 1),
        learning_rate=FINE_TUNING_LEARNING_RATE,
        validate_every=1,
        patience=1,
    )
    # The readers' own books are what the start was solved from.
    told = {"alpha": 0.0, "balance": "fixed", "curriculum": False, "assistant": 0}
    distiller, batches = build_distiller(
        context,
        model,
        replace(plan, settings=plan.settings.model_copy(update=told)),
        context.draw_examples(2),
        schedule,
        seed=seed,
    )
    return train(
        distiller,
        batches,
        schedule=schedule,
        validate=context.make_validation_fn(model),
        include_initial_weights=keep_start,
        label=label,
        progress=context.progress,
    )


def _fine_tune_if_better(
    context: RunContext, model: HistoryModel, plan: DistillationPlan, start_ndcg: float
) -> TrainingResult | None:
    """Fine-tunes where that is cheap; the weights change only where it helps."""
    cost = context.scores_per_epoch * model.peak_score_rows
    if (
        not context.settings.student.fine_tuning_epochs
        or cost > MAX_FINE_TUNING_SCORES
        or not model.trainable_variables
    ):
        return None
    start = model.get_weights()
    training = fine_tune(
        context,
        model,
        plan,
        seed=context.settings.seed,
        label="fine-tuning",
        keep_start=True,
    )
    if training.best_score >= start_ndcg + MIN_NDCG_GAIN:
        after = context.validation_metric(make_score_fn(snap_to_quantization_grid(model)))
        if after >= start_ndcg + MIN_NDCG_GAIN:
            context.progress.info(
                f"fine-tuned by the Distiller: validation NDCG@10 {after:.4f} after {start_ndcg:.4f}"
            )
            return replace(training, best_score=after)
    model.set_weights(start)
    context.progress.info(
        f"fine-tuning by the Distiller gained nothing ({training.best_score:.4f}, start {start_ndcg:.4f}): "
        "the student stays as it started"
    )
    return None


def _train_from_scratch(
    context: RunContext,
    name: str,
    architecture: str,
    embedding_dim: int,
    plan: DistillationPlan | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, TrainingResult]:
    """A student trained from nothing."""
    return train_student(
        context,
        lambda wide: build_student(context, architecture, wide),
        embedding_dim,
        plan,
        context.draw_examples(2),
        seed=context.settings.seed,
        label=f"student {name} ({architecture})",
        key=key,
    )


def build_student(context: RunContext, architecture: str, embedding_dim: int) -> HistoryModel:
    """A student of `TRAINED_STUDENTS` with the weights that it begins with."""
    model = TRAINED_STUDENTS[architecture](
        num_items=context.split.num_items,
        max_length=context.max_length,
        embedding_dim=embedding_dim,
    )
    model.create_weights()
    return model


def _choose_mlp_embedding_dim(context: RunContext) -> int:
    """As wide as the bytes allow, in steps of 8; 0 where not even 8 fit."""
    # A table in bytes; two layers of 64 with biases, and a weight for every age, in floats.
    fixed = 4 * (64 + context.max_length)
    room = (context.max_bytes - fixed) // (context.split.num_items + 1 + 4 * (2 * 64 + 1))
    return int(max(min(room, 64) // 8 * 8, 0))


def _compute_min_bytes(context: RunContext, architecture: str) -> int:
    """About the smallest budget in which a student of this kind exists."""
    items = context.split.num_items
    table = (items + 1) * 7 + 3 * 1024
    if architecture in ("neighbours", "auto"):
        return min(compute_packed_size(items, items), table)
    return table + (compute_packed_size(items, items) if architecture.endswith("residual") else 0)

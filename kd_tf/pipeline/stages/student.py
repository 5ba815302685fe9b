"""Trains the students, with and without a teacher, or selects the best within a byte budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kd_tf.compress.storage import snap_to_quantization_grid
from kd_tf.models.base import HistoryModel
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.pipeline.stages.cached_model import TrainedModel, load_or_train
from kd_tf.pipeline.stages.distillation import DistillationPlan
from kd_tf.pipeline.stages.fine_tune import fine_tune_if_better
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.select_student import (
    choose_mlp_embedding_dim,
    select_student_within_budget,
)
from kd_tf.pipeline.stages.train_student import train_from_scratch
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult


def load_or_train_student(
    context: RunContext,
    name: str,
    teachers: Sequence[TrainedModel[HistoryModel]] = (),
    *,
    architecture: str | None = None,
) -> TrainedModel[HistoryModel]:
    """Trains the student, or loads it from the run's cache.

    Args:
        context: The run.
        name: ``alone`` or ``distilled``.
        teachers: The members of the ensemble, and the teacher as the last; empty for a student
            that is trained on ground-truth items only.
        architecture: The student's architecture; by default that of the settings.
    """
    settings = context.settings
    architecture = architecture or settings.student.architecture
    plan = DistillationPlan(settings.distillation, teachers) if teachers else None
    key = context.cache.make_key(
        student={**settings.student.model_dump(mode="json"), "architecture": architecture},
        pruning=settings.pruning.model_dump(mode="json"),
        distillation=settings.distillation.model_dump(mode="json") if plan else None,
        teacher=checkpoint.compute_fingerprint(plan.teacher) if plan else None,
        candidates=context.settings.evaluation.candidates,
    )

    def fit(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        if architecture not in TRAINED_STUDENTS:
            return _select_and_fine_tune(context, name, architecture, plan, key)
        embedding_dim = settings.student.embedding_dim
        if settings.student.architecture == "auto":
            # `auto` selected an MLP: the student without a teacher gets the same width.
            embedding_dim = choose_mlp_embedding_dim(context)
        model, training = train_from_scratch(context, name, architecture, embedding_dim, plan, key)
        return model, architecture, training, []

    return load_or_train(
        context.cache, f"student-{name}", context.folder / "student" / name, key, fit
    )


def _select_and_fine_tune(
    context: RunContext,
    name: str,
    architecture: str,
    plan: DistillationPlan | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
    """Selects the best student within the budget, and fine-tunes it if that helps."""
    start_time = time.monotonic()
    model, candidates = select_student_within_budget(context, name, architecture, plan, key)
    best_candidate = next(candidate for candidate in candidates if candidate.is_chosen)
    epochs = best_epoch = 0
    ndcg = best_candidate.validation_ndcg
    if plan is not None and best_candidate.kind not in TRAINED_STUDENTS:
        training = fine_tune_if_better(context, model, plan, ndcg)
        if training is not None:
            epochs, best_epoch, ndcg = training.epochs, training.best_epoch, training.best_score
    seconds = time.monotonic() - start_time
    return (
        snap_to_quantization_grid(model),
        best_candidate.kind,
        TrainingResult(epochs, best_epoch, ndcg, seconds),
        candidates,
    )

"""Trains the students, with and without a teacher, or selects the best within a byte budget."""

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
from kd_tf.pipeline.stages.prepare import STUDENT_EXAMPLES
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.train_student import train_student
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult, train

FINE_TUNING_LEARNING_RATE = 5e-4
"""Larger learning rates destroyed the initialization on every data set that was tried."""

MAX_FINE_TUNING_SCORES = 300_000_000
"""Scores per epoch above which fine-tuning is skipped: there it took longer than the rest of the
run, and gained nothing on any data set of that size."""

MIN_NDCG_GAIN = 0.0005
"""Fine-tuned weights are kept if validation NDCG@10 rises at least this much; less is noise."""


def load_or_train_student(
    context: RunContext,
    name: str,
    teachers: Sequence[TrainedModel] = (),
    *,
    architecture: str | None = None,
) -> TrainedModel:
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
    key = context.cache_key(
        student={**settings.student.model_dump(mode="json"), "architecture": architecture},
        pruning=settings.pruning.model_dump(mode="json"),
        distillation=settings.distillation.model_dump(mode="json") if plan else None,
        teacher=checkpoint.compute_fingerprint(plan.teacher) if plan else None,
        candidates=str(context.candidates),
    )

    def fit(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        if architecture not in TRAINED_STUDENTS:
            return _select_and_fine_tune(context, name, architecture, plan, key)
        embedding_dim = settings.student.embedding_dim
        if settings.student.architecture == "auto":
            # `auto` selected an MLP: the student without a teacher gets the same width.
            embedding_dim = _choose_mlp_embedding_dim(context)
        model, training = _train_from_scratch(context, name, architecture, embedding_dim, plan, key)
        return model, architecture, training, []

    return load_or_train(context, f"student-{name}", context.folder / "student" / name, key, fit)


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
    chosen = next(candidate for candidate in candidates if candidate.is_chosen)
    epochs = best_epoch = 0
    ndcg = chosen.validation_ndcg
    if plan is not None and chosen.architecture not in TRAINED_STUDENTS:
        training = _fine_tune_if_better(context, model, plan, ndcg)
        if training is not None:
            epochs, best_epoch, ndcg = training.epochs, training.best_epoch, training.best_score
    seconds = time.monotonic() - start_time
    return (
        snap_to_quantization_grid(model),
        chosen.architecture,
        TrainingResult(epochs, best_epoch, ndcg, seconds),
        candidates,
    )


def select_student_within_budget(
    context: RunContext,
    name: str,
    architecture: str,
    plan: DistillationPlan | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, list[CandidateResult]]:
    """Selects the student with the best validation NDCG@10 within the byte budget.

    Args:
        context: The run.
        name: What the progress report calls the student.
        architecture: One of `WARM_STARTS`, or ``auto`` for all of them.
        plan: The distillation whose teacher initializes the candidates; None to initialize them
            from the interactions only.
        key: Everything that the result depends on.

    Returns:
        The student, and all candidates.

    Raises:
        UserError: No candidate fits into the budget.
    """
    rng.set_seed(context.settings.seed)
    data = context.make_training_data(context.max_length)
    source = TeacherItemScores(data, plan.teacher if plan else None)
    warm_starts = (
        WARM_STARTS if architecture == "auto" else {architecture: WARM_STARTS[architecture]}
    )
    candidates: list[CandidateResult] = []
    best: tuple[HistoryModel, CandidateResult] | None = None

    def evaluate_candidate(model: HistoryModel, architecture: str, description: str) -> None:
        nonlocal best
        candidate = CandidateResult(
            architecture,
            description,
            compute_quantized_size(model),
            context.validation_metric(make_score_fn(snap_to_quantization_grid(model))),
        )
        context.progress.info(
            f"student {name}: {architecture} ({description}), {candidate.bytes:,} bytes, "
            f"validation NDCG@10 {candidate.validation_ndcg:.4f}"
        )
        candidates.append(candidate)
        if best is None or candidate.validation_ndcg > best[1].validation_ndcg:
            best = model, candidate
            source.best_validation_ndcg = candidate.validation_ndcg

    for warm_start_architecture, generate in warm_starts.items():
        for start in generate(source, context.max_bytes):
            evaluate_candidate(start.model, warm_start_architecture, start.description)
    if architecture == "auto" and context.trains_quickly:
        embedding_dim = _choose_mlp_embedding_dim(context)
        if embedding_dim:
            model, _ = _train_from_scratch(context, name, "mlp", embedding_dim, plan, key)
            evaluate_candidate(model, "mlp", f"d={embedding_dim}, trained")
    if best is None:
        raise UserError(
            f"no student for {context.split.num_items:,} items fits into "
            f"{context.max_bytes:,} bytes",
            where="student.max_bytes",
            hint=f"Allow at least {_compute_min_bytes(context, architecture):,} bytes"
            + (f" for student.architecture {architecture}." if architecture != "auto" else "."),
        )
    model, chosen = best
    return model, [replace(candidate, is_chosen=candidate is chosen) for candidate in candidates]


def fine_tune(
    context: RunContext,
    model: HistoryModel,
    plan: DistillationPlan,
    *,
    seed: int,
    label: str,
    keep_start: bool,
) -> TrainingResult:
    """Fine-tunes a warm-started student on the distillation losses only.

    Args:
        context: The run; its settings give the number of epochs.
        model: The student; ends with the weights of the best validation.
        plan: The distillation.
        seed: Random seed of the order of the examples.
        label: The progress bar's label.
        keep_start: Whether the initial weights may be the best.

    Raises:
        UserError: The distillation does not support this student, or it has no trainable
            weights.
    """
    if not model.trainable_variables:
        raise UserError(f"{type(model).__name__} has no trainable weights")
    schedule = replace(
        context.make_schedule(context.settings.student.training),
        epochs=max(context.settings.student.fine_tuning_epochs, 1),
        learning_rate=FINE_TUNING_LEARNING_RATE,
        validate_every=1,
        patience=1,
    )
    # The warm start was fitted to the ground-truth items already.
    changes = {
        "student_loss_weight": 0.0,
        "weighting": "constant",
        "curriculum": False,
        "assistant_width_multiplier": 0,
    }
    distiller, batches = build_distiller(
        context,
        model,
        replace(plan, settings=plan.settings.model_copy(update=changes)),
        context.draw_examples(STUDENT_EXAMPLES),
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
    """Fine-tunes the student if that is cheap; restores its weights if NDCG@10 does not improve."""
    cost = context.scores_per_epoch * model.peak_score_rows
    if (
        not context.settings.student.fine_tuning_epochs
        or cost > MAX_FINE_TUNING_SCORES
        or not model.trainable_variables
    ):
        return None
    initial_weights = model.get_weights()
    training = fine_tune(
        context,
        model,
        plan,
        seed=context.settings.seed,
        label="fine-tuning",
        keep_start=True,
    )
    if training.best_score >= start_ndcg + MIN_NDCG_GAIN:
        ndcg = context.validation_metric(make_score_fn(snap_to_quantization_grid(model)))
        if ndcg >= start_ndcg + MIN_NDCG_GAIN:
            context.progress.info(
                f"fine-tuning improved validation NDCG@10 from {start_ndcg:.4f} to {ndcg:.4f}"
            )
            return replace(training, best_score=ndcg)
    model.set_weights(initial_weights)
    context.progress.info(
        "fine-tuning did not improve the student: its initial weights are kept (validation NDCG@10 "
        f"{training.best_score:.4f}, initially {start_ndcg:.4f})"
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
    """Trains a student of the run's data from scratch."""
    return train_student(
        context,
        lambda width: build_student(context, architecture, width),
        embedding_dim,
        plan,
        context.draw_examples(STUDENT_EXAMPLES),
        seed=context.settings.seed,
        label=f"student {name} ({architecture})",
        key=key,
    )


def build_student(context: RunContext, architecture: str, embedding_dim: int) -> HistoryModel:
    """Builds an untrained student of `TRAINED_STUDENTS`."""
    model = TRAINED_STUDENTS[architecture](
        num_items=context.split.num_items,
        max_length=context.max_length,
        embedding_dim=embedding_dim,
    )
    model.create_weights()
    return model


def _choose_mlp_embedding_dim(context: RunContext) -> int:
    """Returns the largest multiple of 8 up to 64 that fits the budget; 0 if 8 is too large."""
    # The table has a byte per number; two layers of 64 with biases and the recency weights of L
    # positions are float32.
    fixed = 4 * (64 + context.max_length)
    largest = (context.max_bytes - fixed) // (context.split.num_items + 1 + 4 * (2 * 64 + 1))
    return int(max(min(largest, 64) // 8 * 8, 0))


def _compute_min_bytes(context: RunContext, architecture: str) -> int:
    """Estimates the smallest budget that a student of this architecture fits into."""
    num_items = context.split.num_items
    packed = compute_packed_size(num_items, num_items)
    table = (num_items + 1) * 7 + 3 * 1024
    if architecture in ("neighbours", "auto"):
        return min(packed, table)
    return table + (packed if architecture.endswith("residual") else 0)

"""Fine-tunes a warm-started student on the distillation losses."""

from __future__ import annotations

from dataclasses import replace

from kd_tf.compress.storage import snap_to_quantization_grid
from kd_tf.config import TrainingSettings
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.pipeline.stages.distillation import DistillationPlan, build_distiller
from kd_tf.pipeline.stages.examples import STUDENT_EXAMPLES, draw_examples
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.training import count_scores_per_epoch, make_schedule, train_model
from kd_tf.training.trainer import TrainingResult

FINE_TUNING_LEARNING_RATE = 5e-4
"""Larger learning rates destroyed the initialization on every data set that was tried."""

MAX_FINE_TUNING_SCORES = 300_000_000
"""Scores per epoch above which fine-tuning is skipped: there it took longer than the rest of the
run, and gained nothing on any data set of that size."""

MIN_NDCG_GAIN = 0.0005
"""Fine-tuned weights are kept if validation NDCG@10 rises at least this much; less is noise."""


def fine_tune_if_better(
    context: RunContext, model: HistoryModel, plan: DistillationPlan, start_ndcg: float
) -> TrainingResult | None:
    """Fine-tunes the student if that is cheap; restores its weights if NDCG@10 does not improve."""
    cost = count_scores_per_epoch(context.split) * model.peak_score_rows
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
        raise UserError(
            f"{type(model).__name__} has no trainable weights, so no distillation loss changes it",
            where="student.architecture",
            hint="Choose another student, for example mlp.",
        )
    schedule = replace(
        make_schedule(context.settings.student.training, context.split),
        epochs=max(context.settings.student.fine_tuning_epochs, 1),
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
        draw_examples(context, STUDENT_EXAMPLES),
        schedule,
        seed=seed,
    )
    return train_model(
        context,
        distiller,
        batches,
        schedule,
        TrainingSettings(learning_rate=FINE_TUNING_LEARNING_RATE),
        student=model,
        include_initial_weights=keep_start,
        label=label,
        key=None,
    )

"""Trains a student from scratch, with or without a teacher, with pruning and fake quantization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kd_tf import rng
from kd_tf.backend import keras
from kd_tf.compress import prune, quantize_aware
from kd_tf.config import Pruning
from kd_tf.data.examples.sequences import Examples
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.pipeline.stages.cached_model import TrainedModel, load_or_train
from kd_tf.pipeline.stages.distillation import DistillationPlan, build_distiller
from kd_tf.pipeline.stages.examples import STUDENT_EXAMPLES, draw_examples
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.training import (
    make_regularizer_arguments,
    make_schedule,
    train_model,
)
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

ASSISTANTS_FOLDER = "assistants"


def train_from_scratch(
    context: RunContext,
    name: str,
    architecture: str,
    embedding_dim: int,
    plan: DistillationPlan | None,
    key: dict[str, Any],
) -> tuple[HistoryModel, TrainingResult]:
    """Trains a student of the run's data from scratch; new items get rows if there are any."""
    model, training = train_student(
        context,
        lambda width: build_student(context, architecture, width),
        embedding_dim,
        plan,
        draw_examples(context, STUDENT_EXAMPLES),
        seed=context.settings.seed,
        label=f"student {name} ({architecture})",
        key=key,
    )
    ndcg = _add_new_items_if_better(context, model, training.best_score)
    return model, replace(training, best_score=ndcg)


def _add_new_items_if_better(context: RunContext, model: HistoryModel, ndcg: float) -> float:
    """Gives new items rows mixed of others, unless the rows that were trained are better.

    A teacher's soft targets can name new items, and so can train their rows.

    Returns:
        The validation NDCG@10 of the better student.
    """
    trained_weights = model.get_weights()
    if not context.add_new_items(model):
        return ndcg
    mixed_ndcg = context.validation_metric(make_score_fn(model))
    context.progress.info(
        f"new items: validation NDCG@10 {mixed_ndcg:.4f} with rows mixed of others, {ndcg:.4f} "
        "with trained ones"
    )
    if mixed_ndcg >= ndcg:
        return mixed_ndcg
    model.set_weights(trained_weights)
    return ndcg


def build_student(context: RunContext, architecture: str, embedding_dim: int) -> HistoryModel:
    """Builds an untrained student of `TRAINED_STUDENTS`."""
    model_class, training = TRAINED_STUDENTS[architecture], context.settings.student.training
    model = model_class(
        num_items=context.split.num_items,
        max_length=context.max_length,
        embedding_dim=embedding_dim,
        **make_regularizer_arguments(model_class, training, "student.training"),
    )
    model.create_weights()
    return model


def train_student(
    context: RunContext,
    build_model: Callable[[int], HistoryModel],
    embedding_dim: int,
    plan: DistillationPlan | None,
    examples: Examples,
    *,
    seed: int,
    label: str,
    key: dict[str, Any],
) -> tuple[HistoryModel, TrainingResult]:
    """Trains a student.

    Args:
        context: The run; its settings give the schedule, sparsity and quantization.
        build_model: Builds an untrained student with a given embedding dimension.
        embedding_dim: The student's embedding dimension.
        plan: The distillation; None to train on ground-truth items only.
        examples: Training examples.
        seed: Random seed of the weights, the losses and the order of the examples.
        label: The progress bar's label; unique in the run.
        key: Everything that the training depends on.

    Returns:
        The student with its best weights, and the result of the training.

    Raises:
        UserError: The distillation does not support this student, or the training failed.
    """
    if plan is not None and plan.settings.assistant_width_multiplier:
        plan = _train_assistant(
            context, build_model, embedding_dim, plan, examples, seed=seed, label=label, key=key
        )
    settings, pruning = context.settings.student, context.settings.pruning
    # The seed makes students with and without a teacher start equal and see the same batches.
    rng.set_seed(seed)
    model = build_model(embedding_dim)
    schedule = make_schedule(settings.training, context.split)
    distiller, batches = build_distiller(context, model, plan, examples, schedule, seed=seed)
    callbacks: list[keras.callbacks.Callback] = []
    if is_pruned := pruning.sparsity > 0 and hasattr(model, "core"):
        _wrap_for_pruning(model, pruning, batches.steps_per_epoch * schedule.epochs)
        callbacks = prune.make_callbacks()
    if is_fake_quantized := settings.quantization_aware and bool(model.quantized_weights):
        quantize_aware.wrap_tables_in_fake_quantization(model)
    training = train_model(
        context,
        distiller,
        batches,
        schedule,
        settings.training,
        student=model,
        start_from_epoch=int(schedule.epochs * pruning.end) + 1 if is_pruned else 1,
        callbacks=callbacks,
        label=label,
        key=key,
    )
    if is_fake_quantized:
        quantize_aware.strip_fake_quantization(model)
    if is_pruned:
        prune.strip_core(model)
    return model, training


def _wrap_for_pruning(model: HistoryModel, pruning: Pruning, steps: int) -> None:
    """Prepares the model's dense core for pruning during a training of `steps` steps."""
    begin = int(steps * pruning.begin)
    prune.wrap_core(
        model,
        sparsity=pruning.sparsity,
        begin_step=begin,
        end_step=max(int(steps * pruning.end), begin + 1),
    )


def _train_assistant(
    context: RunContext,
    build_model: Callable[[int], HistoryModel],
    embedding_dim: int,
    plan: DistillationPlan,
    examples: Examples,
    *,
    seed: int,
    label: str,
    key: dict[str, Any],
) -> DistillationPlan:
    """Trains a teacher assistant, a wider student, and returns the distillation from it.

    Mirzadeh et al., "Improved Knowledge Distillation via Teacher Assistant" (AAAI 2020).
    """
    settings = plan.settings.model_copy(update={"assistant_width_multiplier": 0})
    assistant_dim = embedding_dim * plan.settings.assistant_width_multiplier

    def fit(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        model, training = train_student(
            context,
            build_model,
            assistant_dim,
            replace(plan, settings=settings),
            examples,
            seed=seed,
            label=f"assistant of {label}",
            key=key,
        )
        return model, "assistant", training, []

    folder = context.folder / ASSISTANTS_FOLDER / f"{checkpoint.make_slug(label)}"
    assistant: TrainedModel[HistoryModel] = load_or_train(
        context.cache, "assistant", folder, {**key, "assistant": assistant_dim}, fit
    )
    # The assistant is the only teacher, even if several teachers were combined to train it.
    single = settings.model_copy(update={"teacher_combination": "single"})
    return DistillationPlan(single, [assistant])

"""The training of a student from nothing: alone or taught, pruned and rounded on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kd_tf.compress import prune, rounded
from kd_tf.config import Pruning
from kd_tf.data.examples import Examples
from kd_tf.distill.distiller import Distiller
from kd_tf.keras import keras
from kd_tf.models import checkpoint, randomness
from kd_tf.models.base import HistoryModel
from kd_tf.models.training import Training
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.stage import Trained, trained
from kd_tf.pipeline.teaching import Teaching, alone, taught
from kd_tf.report.results import TriedStudent

ASSISTANTS = "assistants"


def learnt(
    context: Context,
    new: Callable[[int], HistoryModel],
    dimensions: int,
    teaching: Teaching | None,
    examples: Examples,
    *,
    seed: int,
    label: str,
    key: dict[str, Any],
) -> tuple[HistoryModel, Training]:
    """Trains a student.

    Args:
        context: Of the run; its settings say how long, how sparse and how exact.
        new: Makes an untrained student of so many dimensions.
        dimensions: Of the student.
        teaching: How it is taught, None for the readers' books alone.
        examples: What it learns from.
        seed: Of its weights, what methods draw, and the order of the examples.
        label: What the progress bar says, of which the run has one only.
        key: All that the training depends on.

    Raises:
        UserError: It cannot be taught so, or the training failed.
    """
    if teaching is not None and teaching.settings.assistant:
        teaching = _by_assistant(
            context, new, dimensions, teaching, examples, seed=seed, label=label, key=key
        )
    settings, pruning = context.settings.student, context.settings.pruning
    # The same seed for students alone and taught: they begin equal and see the same batches.
    randomness.seed(seed)
    model = new(dimensions)
    schedule = context.schedule(settings.learning)
    if teaching is None:
        distiller, batches = Distiller(model), alone(examples, schedule, seed)
    else:
        distiller, batches = taught(context, model, teaching, examples, schedule, seed=seed)
    callbacks: list[keras.callbacks.Callback] = []
    if prunes := pruning.sparsity > 0 and hasattr(model, "core"):
        _wrap(model, pruning, batches.steps * schedule.epochs)
        callbacks = prune.callbacks()
    if rounds := settings.quantization_aware and bool(model.tables):
        rounded.wrap_tables(model)
    training = context.fit(
        distiller,
        batches,
        learner=model,
        schedule=schedule,
        choose_from_epoch=int(schedule.epochs * pruning.end) + 1 if prunes else 1,
        callbacks=callbacks,
        label=label,
        key=key,
    )
    if rounds:
        rounded.strip_tables(model)
    if prunes:
        prune.strip_core(model)
    return model, training


def _wrap(model: HistoryModel, pruning: Pruning, steps: int) -> None:
    begin = int(steps * pruning.begin)
    prune.wrap_core(
        model,
        sparsity=pruning.sparsity,
        begin_step=begin,
        end_step=max(int(steps * pruning.end), begin + 1),
    )


def _by_assistant(
    context: Context,
    new: Callable[[int], HistoryModel],
    dimensions: int,
    teaching: Teaching,
    examples: Examples,
    *,
    seed: int,
    label: str,
    key: dict[str, Any],
) -> Teaching:
    """The same teaching by a wider student that was taught before.

    Mirzadeh et al., "Improved Knowledge Distillation via Teacher Assistant" (AAAI 2020).
    """
    settings = teaching.settings.model_copy(update={"assistant": 0})
    wider = dimensions * teaching.settings.assistant

    def make(_: Path) -> tuple[HistoryModel, str, Training, list[TriedStudent]]:
        model, training = learnt(
            context,
            new,
            wider,
            replace(teaching, settings=settings),
            examples,
            seed=seed,
            label=f"assistant of {label}",
            key=key,
        )
        return model, "assistant", training, []

    folder = context.folder / ASSISTANTS / f"{checkpoint.slug(label)}"
    own: Trained = trained(context, "assistant", folder, {**key, "assistant": wider}, make)
    # It alone is asked, whoever taught it.
    return Teaching(settings.model_copy(update={"teachers": "one"}), [own])

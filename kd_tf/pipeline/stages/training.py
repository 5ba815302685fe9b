"""Trains a model of a run by gradient descent, so that a killed run can resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.backend import keras
from kd_tf.compress import prune
from kd_tf.config import TrainingSettings
from kd_tf.data.examples.batches import Batches
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.tied_embedding import TiedEmbeddingModel
from kd_tf.models.trainable import TrainableModel
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.progress import Progress
from kd_tf.training import checkpoint
from kd_tf.training.optimizer import build_optimizer
from kd_tf.training.resume import ResumeFolder
from kd_tf.training.trainer import DivergedError, Schedule, TrainingResult, train

MAX_QUICK_SCORES = 30_000_000
"""Scores per epoch (training users times items) up to which a network trains in about a minute.

The defaults then include a network."""


def make_schedule(settings: TrainingSettings, split: Split) -> Schedule:
    """Returns the training schedule, with a batch size that fits the data."""
    return Schedule(
        epochs=settings.epochs,
        batch_size=settings.batch_size or _choose_batch_size(len(split.train)),
        learning_rate=settings.learning_rate,
        patience=settings.patience,
    )


def _choose_batch_size(num_users: int) -> int:
    """Returns the default batch size: eight steps per epoch, with 32 to 512 users."""
    return int(np.clip(num_users // 8, 32, 512))


def train_model(
    context: RunContext,
    model: keras.Model,
    batches: Batches,
    schedule: Schedule,
    settings: TrainingSettings,
    *,
    label: str,
    key: dict[str, Any] | None,
    student: HistoryModel | None = None,
    start_from_epoch: int = 1,
    include_initial_weights: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingResult:
    """Trains a model and keeps its best weights; see `kd_tf.training.trainer.train`.

    Args:
        context: The run.
        model: A teacher or a Distiller.
        batches: Training data.
        schedule: Number of epochs and patience.
        settings: Optimizer and learning rate.
        label: The progress bar's label; unique in the run.
        key: Everything that the training depends on; None for a short training that starts anew
            after an interruption.
        student: The model that is validated, and saved if training fails; `model` by default.
        start_from_epoch: The first epoch that is validated.
        include_initial_weights: Whether the initial weights may be the best.
        callbacks: Keras callbacks.

    Raises:
        DivergedError: The loss is not finite. The error names the folder with the last good
            weights.
    """
    student = student or model
    return run_training(
        model,
        batches,
        schedule,
        settings,
        validate=make_validation_fn(context, student),
        folder=context.folder,
        progress=context.progress,
        label=label,
        key=key,
        student=student,
        start_from_epoch=start_from_epoch,
        include_initial_weights=include_initial_weights,
        callbacks=callbacks,
    )


def run_training(
    model: keras.Model,
    batches: Batches,
    schedule: Schedule,
    settings: TrainingSettings,
    *,
    validate: Callable[[], float],
    folder: Path,
    progress: Progress,
    label: str,
    key: dict[str, Any] | None,
    student: TrainableModel,
    start_from_epoch: int = 1,
    include_initial_weights: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingResult:
    """Trains a model of any task; see `train_model`.

    Args:
        model: A teacher or a Distiller.
        batches: Training data.
        schedule: Number of epochs and patience.
        settings: Optimizer and learning rate.
        validate: Returns the validation score, higher is better.
        folder: The run's folder.
        progress: Where to report.
        label: The progress bar's label; unique in the run.
        key: Everything that the training depends on; None for a short training that starts anew
            after an interruption.
        student: The model that is saved if training fails.
        start_from_epoch: The first epoch that is validated.
        include_initial_weights: Whether the initial weights may be the best.
        callbacks: Keras callbacks.
    """
    resume_folder = folder / "resume" / checkpoint.make_slug(label)
    try:
        return train(
            model,
            batches,
            schedule=schedule,
            optimizer=build_optimizer(settings, schedule.epochs * batches.steps_per_epoch),
            validate=validate,
            start_from_epoch=start_from_epoch,
            include_initial_weights=include_initial_weights,
            callbacks=callbacks,
            resume_folder=ResumeFolder(resume_folder, key) if key is not None else None,
            label=label,
            progress=progress,
        )
    except DivergedError as error:
        if prune.is_wrapped(student):
            prune.strip_core(student)
        last_good = resume_folder.with_name(f"{resume_folder.name}-last-good")
        checkpoint.save(student, last_good)
        raise DivergedError(error.what, where=str(last_good), hint=error.hint) from error


def make_validation_fn(context: RunContext, model: HistoryModel) -> Callable[[], float]:
    """Returns a function that computes NDCG@10 of `model` on the validation users."""
    score = make_score_fn(model)
    return lambda: context.validation_metric(score)


def make_regularizer_arguments(
    model_class: type[HistoryModel], settings: TrainingSettings, where: str
) -> dict[str, Any]:
    """Returns the arguments of a model's constructor that set its L2 regularization.

    Args:
        model_class: The class of the model.
        settings: The weight, ``l2``.
        where: The section of the settings, for the error message.

    Raises:
        UserError: The model has no item embeddings to regularize.
    """
    if not settings.l2:
        return {}
    if issubclass(model_class, MatrixFactorization):
        return {"regularization": settings.l2}
    if not issubclass(model_class, TiedEmbeddingModel):
        raise UserError(
            f"{model_class.__name__} has no L2 regularization",
            where=f"{where}.l2",
            hint="Choose another architecture, or set weight_decay instead.",
        )
    return {"embeddings_regularizer": keras.regularizers.L2(settings.l2)}


def count_scores_per_epoch(split: Split) -> int:
    """Counts the scores of all items for every training user."""
    return len(split.train) * split.num_items


def is_quick_to_train(split: Split) -> bool:
    """Whether a network trains on this data in about a minute."""
    return count_scores_per_epoch(split) <= MAX_QUICK_SCORES

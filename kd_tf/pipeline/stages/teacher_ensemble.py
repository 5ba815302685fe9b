"""Selects the teacher for distillation: a single model, a mixture, or a curriculum of teachers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from kd_tf.backend import keras
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.teachers.mixture import TeacherMixture, compute_validation_weights
from kd_tf.pipeline.stages.cached_model import TrainedModel, load_or_train
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.report.results import CandidateResult
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

EARLY_SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Shares of a teacher's training after which `EarlyCheckpoints` saves its weights."""


def combine_teachers(
    context: RunContext, teachers: Sequence[TrainedModel[HistoryModel]], rule: str
) -> HistoryModel:
    """Returns the model that the student is distilled from.

    Args:
        context: The run.
        teachers: The members of the ensemble, and the teacher as the last.
        rule: ``distillation.teacher_combination``: ``single``, ``average``, ``weighted`` or
            ``confidence``.

    Raises:
        UserError: The rule combines several teachers, but there is only one.
    """
    if rule == "single":
        return teachers[-1].model
    members = teachers[:-1]
    if len(members) < 2:
        raise UserError(
            f"{rule} combines several teachers, but there is only one",
            where="distillation.teacher_combination",
            hint="Set teacher.architecture to ensemble, and optionally teacher.members.",
        )
    key = context.cache.make_key(
        members=[checkpoint.compute_fingerprint(member.model) for member in members], rule=rule
    )

    def fit(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        start_time = time.monotonic()
        weights = None
        if rule == "weighted":
            weights = compute_validation_weights([member.validation_score for member in members])
        model = TeacherMixture.calibrate(
            [member.model for member in members],
            context.validation_metric,
            context.progress,
            weights=weights,
            by_confidence=rule == "confidence",
        )
        model.create_weights()
        ndcg = context.validation_metric(make_score_fn(model))
        return model, "mixture", TrainingResult(0, 0, ndcg, time.monotonic() - start_time), []

    folder = context.folder / "teachers" / f"mixture-{rule}"
    return load_or_train(context.cache, f"teacher-{rule}", folder, key, fit).model


def build_teacher_curriculum(
    context: RunContext, teachers: Sequence[TrainedModel[HistoryModel]]
) -> list[HistoryModel]:
    """Returns teachers from easy to hard, the teacher itself as the last.

    The easier ones are the members of an ensemble in order of their validation NDCG@10, or early
    checkpoints of a single trained teacher.

    Raises:
        UserError: There is no teacher easier than the last.
    """
    final = teachers[-1]
    if len(teachers) > 1:
        members = sorted(teachers[:-1], key=lambda member: member.validation_score)
        easier = [member.model for member in members]
    else:
        easier = [
            checkpoint.load(folder)
            for folder in list_early_checkpoints(context, final.architecture)
        ]
    if not easier:
        raise UserError(
            f"there is no easier teacher than {final.architecture} for a curriculum of teachers",
            where="teacher.architecture",
            hint="Use an ensemble, or a teacher that is trained by gradient descent.",
        )
    return [*easier, final.model]


def list_early_checkpoints(context: RunContext, architecture: str) -> list[Path]:
    """Returns the folders of a teacher's early checkpoints, the earliest first."""
    return sorted((context.folder / "teachers").glob(f"{architecture}-early-*"))


class EarlyCheckpoints(keras.callbacks.Callback):
    """Saves a teacher's weights after the `EARLY_SHARES` of its training.

    Args:
        context: The run.
        teacher: The model that is trained.
        architecture: Its architecture, for the folders' names.
        epochs: Maximum number of epochs.
    """

    def __init__(
        self, context: RunContext, teacher: HistoryModel, architecture: str, epochs: int
    ) -> None:
        super().__init__()
        self.teacher, self.epochs = teacher, epochs
        self.folder = context.folder / "teachers"
        self.architecture = architecture

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Saves the weights if `epoch` (from 0) ends one of the shares."""
        for number, share in enumerate(EARLY_SHARES):
            if epoch + 1 == max(round(share * self.epochs), 1):
                checkpoint.save(self.teacher, self.folder / f"{self.architecture}-early-{number}")

"""Who is asked when a student learns: the teacher, several as one, or several one after another."""

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
"""Shares of a teacher's training after which its weights are kept, for easy lists."""


def combine_teachers(
    context: RunContext, teachers: Sequence[TrainedModel], rule: str
) -> HistoryModel:
    """The model that answers for all teachers.

    Args:
        context: Of the run.
        taught: The members of the ensemble, and the teacher as the last.
        rule: ``distillation.teachers``.

    Raises:
        UserError: Several are asked for, and there is one.
    """
    if rule == "one":
        return teachers[-1].model
    members = teachers[:-1]
    if len(members) < 2:
        raise UserError(
            f"the {rule} of several teachers is asked for, but there is one",
            where="distillation.teachers",
            hint="Set teacher.kind to ensemble, and teacher.members if you like.",
        )
    key = context.cache_key(
        members=[checkpoint.compute_fingerprint(one.model) for one in members], rule=rule
    )

    def make(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
        begin = time.monotonic()
        weighted = rule == "weighted"
        model = TeacherMixture.calibrate(
            [one.model for one in members],
            context.validation_metric,
            context.progress,
            weights=compute_validation_weights([one.validation_ndcg for one in members])
            if weighted
            else None,
            by_confidence=rule == "confidence",
        )
        model.create_weights()
        reached = context.validation_metric(make_score_fn(model))
        return model, "panel", TrainingResult(0, 0, reached, time.monotonic() - begin), []

    folder = context.folder / "teachers" / f"panel-{rule}"
    return load_or_train(context, f"teacher-{rule}", folder, key, make).model


def build_teacher_curriculum(
    context: RunContext, teachers: Sequence[TrainedModel]
) -> list[HistoryModel]:
    """Teachers from easy to hard: an ensemble's members by what they reach, or a teacher as it
    was early in its training; then the teacher.

    Raises:
        UserError: There is nothing easier than the teacher.
    """
    final = teachers[-1]
    if len(teachers) > 1:
        easier = [one.model for one in sorted(teachers[:-1], key=lambda one: one.validation_ndcg)]
    else:
        easier = [
            checkpoint.load(folder)
            for folder in list_early_checkpoints(context, final.architecture)
        ]
    if not easier:
        raise UserError(
            f"there is nothing easier to learn than the teacher ({final.architecture})",
            where="teacher.kind",
            hint="Stages need an ensemble, or a teacher that is trained.",
        )
    return [*easier, final.model]


def list_early_checkpoints(context: RunContext, architecture: str) -> list[Path]:
    """Where the weights from early in a teacher's training lie, the earliest first."""
    return sorted((context.folder / "teachers").glob(f"{architecture}-early-*"))


class EarlyCheckpoints(keras.callbacks.Callback):
    """Keeps the weights of a teacher early in its training.

    Args:
        context: Of the run.
        teacher: What is trained.
        kind: Of the teacher.
        epochs: How many there are at most.
    """

    def __init__(
        self, context: RunContext, teacher: HistoryModel, architecture: str, epochs: int
    ) -> None:
        super().__init__()
        self.teacher, self.epochs = teacher, epochs
        self.folder = context.folder / "teachers"
        self.architecture = architecture

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        for number, share in enumerate(EARLY_SHARES):
            if epoch + 1 == max(round(share * self.epochs), 1):
                checkpoint.save(self.teacher, self.folder / f"{self.architecture}-early-{number}")

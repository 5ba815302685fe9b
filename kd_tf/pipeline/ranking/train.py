"""Trains the teachers and students of a run of the ranking task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.compress import prune
from kd_tf.config.ranking import RankingTrainingSettings
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.data.ranking.unlabelled_rows import draw_unlabelled_rows
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.base import DistillationSetup
from kd_tf.distill.row_teacher_targets import compute_row_targets
from kd_tf.errors import UserError
from kd_tf.models.ranking import fitting
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students import RANKING_STUDENTS
from kd_tf.models.ranking.teachers import RANKING_TEACHERS
from kd_tf.models.ranking.teachers.ensemble import RankingEnsemble, choose_member_weights
from kd_tf.pipeline.ranking.context import RankingContext
from kd_tf.pipeline.ranking.distillation import build_row_losses, build_row_weighting
from kd_tf.pipeline.ranking.sampled_teacher import SAMPLED_TEACHER, sample_teacher
from kd_tf.pipeline.stages.cached_model import TrainedModel, load_or_train
from kd_tf.pipeline.stages.training import run_training
from kd_tf.training import checkpoint
from kd_tf.training.trainer import Schedule, TrainingResult

TrainedRanker = TrainedModel[RankingModel]

_L2_FACTOR, _LEAST_L2, _MAX_L2_STEPS = 4.0, 1e-5, 5

MAX_UNLABELLED_ROWS = 1_000_000
"""Larger tables have enough rows of their own."""

MIN_BATCH_SIZE, MAX_BATCH_SIZE = 128, 4096


def load_or_train_ranking_teachers(context: RankingContext) -> list[TrainedRanker]:
    """Trains the teacher of a run, or its members and then the ensemble, which is the last.

    Teachers of an earlier run with the same settings and rows are loaded.
    """
    settings = context.settings.teacher
    if settings.architecture != "ensemble":
        return [_load_or_train_member(context, settings.architecture, "teacher")]
    members = [
        _load_or_train_member(context, architecture, f"teacher-{architecture}")
        for architecture in settings.members
    ]
    start_time = time.monotonic()

    def combine(_: Path) -> tuple[RankingModel, str, TrainingResult, list[Any]]:
        models = [member.model for member in members]
        weights = choose_member_weights(models, context.split.validation)
        ensemble = RankingEnsemble(models, weights)
        ensemble.create_weights()
        score = context.make_validation_fn(ensemble)()
        seconds = time.monotonic() - start_time
        return ensemble, "ensemble", TrainingResult(0, 0, score, seconds), []

    key = context.cache.make_key(
        members=[checkpoint.compute_fingerprint(member.model) for member in members]
    )
    ensemble: TrainedRanker = load_or_train(
        context.cache, "teacher", context.folder / "teacher", key, combine, metric=context.metric
    )
    shares = ", ".join(
        f"{member.architecture} {weight:.2f}"
        for member, weight in zip(members, ensemble.model.member_weights, strict=True)
    )
    context.progress.info(f"teacher: weights {shares}")
    return [*members, replace(ensemble, seconds=sum(member.seconds for member in members))]


def _load_or_train_member(context: RankingContext, architecture: str, name: str) -> TrainedRanker:
    settings = context.settings.teacher

    def fit(_: Path) -> tuple[RankingModel, str, TrainingResult, list[Any]]:
        rng.set_seed(context.settings.seed)
        if architecture == SAMPLED_TEACHER:
            model, sampling = sample_teacher(context)
            return model, architecture, sampling, []
        model = RANKING_TEACHERS[architecture](
            context.teacher_layout,
            label_kind=context.split.label.kind,
            embedding_dim=settings.embedding_dim,
            hidden=settings.hidden,
            dropout=settings.dropout,
            l2=settings.training.l2,
        )
        model.prepare_fit(context.split.train)
        schedule = make_row_schedule(settings.training, len(context.split.train))
        training = run_training(
            model,
            fitting.make_batches(
                model, context.split.train, schedule.batch_size, context.settings.seed
            ),
            schedule,
            settings.training,
            validate=context.make_validation_fn(model),
            folder=context.folder,
            progress=context.progress,
            label=name,
            key=key,
            student=model,
        )
        return model, architecture, training, []

    key = context.cache.make_key(
        teacher=settings.model_dump(mode="json", exclude={"architecture", "members"}),
        architecture=architecture,
    )
    folder = "teacher" if name == "teacher" else f"teachers/{architecture}"
    return load_or_train(
        context.cache, name, context.folder / folder, key, fit, metric=context.metric
    )


def load_or_train_ranking_student(
    context: RankingContext, name: str, teachers: Sequence[TrainedRanker] = ()
) -> TrainedRanker:
    """Trains a student with the teacher, or alone; or loads it if that was done before.

    Args:
        context: The run.
        name: ``distilled`` or ``alone``.
        teachers: The teachers of the run, the main one last; none for a student alone.
    """
    settings = context.settings
    lesson_teachers = _select_teachers(context, teachers)

    def fit(_: Path) -> tuple[RankingModel, str, TrainingResult, list[Any]]:
        lesson = make_row_lesson(context, teachers)
        l2 = settings.student.training.l2
        student, training = _train_student(context, name, lesson, l2, key)
        seconds, l2_steps = training.seconds, _MAX_L2_STEPS if settings.student.choose_l2 else 0
        for _step in range(l2_steps):
            l2 = max(l2, _LEAST_L2) * _L2_FACTOR
            context.progress.info(
                f"student/{name}: validation {context.metric} "
                f"{training.best_score:.4f}; now with l2 {l2:g}"
            )
            candidate = _train_student(context, name, lesson, l2, key)
            seconds += candidate[1].seconds
            if candidate[1].best_score <= training.best_score:
                break
            student, training = candidate
        return student, settings.student.architecture, replace(training, seconds=seconds), []

    key = context.cache.make_key(
        student=settings.student.model_dump(mode="json"),
        pruning=settings.pruning.model_dump(mode="json"),
        distillation=settings.distillation.model_dump(mode="json") if teachers else None,
        teachers=[checkpoint.compute_fingerprint(teacher.model) for teacher in lesson_teachers],
    )
    return load_or_train(
        context.cache,
        f"student-{name}",
        context.folder / "student" / name,
        key,
        fit,
        metric=context.metric,
    )


@dataclass(frozen=True)
class RowLesson:
    """What a student of the ranking task learns from.

    Attributes:
        rows: The training rows, and behind them those that the teacher has labelled.
        teachers: The teachers whose outputs the losses see; none for a student alone.
        targets: Their outputs for the rows, by the names of labels.
    """

    rows: RankingExamples
    teachers: list[TrainedRanker]
    targets: dict[str, np.ndarray]


def make_row_lesson(context: RankingContext, teachers: Sequence[TrainedRanker]) -> RowLesson:
    """Draws unlabelled rows and computes the teachers' outputs, or loads them.

    Args:
        context: The run.
        teachers: The teachers of the run, the main one last; none for a student alone.
    """
    if not teachers:
        return RowLesson(context.split.train, [], {})
    lesson_teachers = _select_teachers(context, teachers)
    losses = build_row_losses(context.settings.distillation, lesson_teachers)
    outputs = sorted({output for loss in losses for output in loss.teacher_outputs})
    rows = _add_unlabelled_rows(context, teachers[-1])
    # A folder for each choice: students of a comparison read several at the same time.
    parts = ["targets", *(["members"] if len(lesson_teachers) > 1 else []), *outputs]
    targets = compute_row_targets(
        [teacher.model for teacher in lesson_teachers],
        rows,
        teacher_outputs=outputs,
        folder=context.folder / checkpoint.make_slug("-".join(parts)),
        progress=context.progress,
    )
    return RowLesson(rows, lesson_teachers, targets)


def _add_unlabelled_rows(context: RankingContext, teacher: TrainedRanker) -> RankingExamples:
    """Adds the rows that the teacher labels to the training rows; the same for all seeds."""
    train = context.split.train
    num_rows = round(context.settings.distillation.unlabelled_rows * len(train))
    num_rows = min(num_rows, MAX_UNLABELLED_ROWS)
    if not num_rows:
        return train
    drawn_rows = draw_unlabelled_rows(context.split, num_rows, context.split.seed)
    if drawn_rows is None:
        context.progress.info("no unlabelled rows are drawn: no columns belong to the item alone")
        return train
    labels = teacher.model.predict_probabilities(drawn_rows)
    return train.append(replace(drawn_rows, labels=labels))


def _train_student(
    context: RankingContext, name: str, lesson: RowLesson, l2: float, key: dict[str, Any]
) -> tuple[RankingModel, TrainingResult]:
    """Trains a student with one regularization."""
    settings = context.settings
    rng.set_seed(settings.seed)
    student = build_ranking_student(context, l2)
    student.prepare_fit(context.split.train)
    schedule = make_row_schedule(settings.student.training, len(lesson.rows))
    models = [teacher.model for teacher in lesson.teachers]
    batches = fitting.make_batches(student, lesson.rows, schedule.batch_size, settings.seed, models)
    losses = build_row_losses(settings.distillation, lesson.teachers) if models else []
    distiller = Distiller(
        models or None,
        student,
        losses,
        weighting=build_row_weighting(settings.distillation, losses) if losses else None,
    )
    if losses:
        labels = {label: array[None] for label, array in lesson.targets.items()}
        batches = replace(batches, labels={**batches.labels, **labels})
        setup = DistillationSetup(
            student=student,
            teachers=models,
            popularity=np.zeros(0, np.int64),
            num_steps=batches.steps_per_epoch * schedule.epochs,
            seed=settings.seed,
        )
        try:
            distiller.build_losses(setup)
        except ValueError as error:
            raise UserError(
                str(error),
                where="distillation.losses",
                hint="Choose another loss, or another student or teacher.",
            ) from error
    training = _train_distiller(
        context, distiller, batches, schedule, f"{name} l2 {l2:g}", {**key, "l2": l2}
    )
    return student, training


def build_ranking_student(context: RankingContext, l2: float) -> RankingModel:
    """Builds the untrained student of the settings, with the weight of its squared embeddings."""
    settings = context.settings.student
    arguments: dict[str, Any] = {"l2": l2}
    if settings.architecture != "logistic-regression":
        arguments["embedding_dim"] = settings.embedding_dim
    if settings.architecture == "mlp":
        arguments["hidden"] = settings.hidden
    if settings.embedding_width == "by-cardinality":
        arguments["embedding_width"] = settings.embedding_width
    num_numbers = context.student_layout.num_numeric
    if settings.features.pca is not None and settings.features.pca >= num_numbers:
        raise UserError(
            f"{settings.features.pca} principal components cannot replace {num_numbers} numbers",
            where="student.features.pca",
            hint="Give fewer, or leave it out.",
        )
    student: RankingModel = RANKING_STUDENTS[settings.architecture](
        context.student_layout,
        label_kind=context.split.label.kind,
        num_components=settings.features.pca,
        **arguments,
    )
    return student


def make_row_schedule(settings: RankingTrainingSettings, num_rows: int) -> Schedule:
    """Returns the training schedule, with a batch size that fits the number of rows."""
    batch_size = int(np.clip(num_rows // 100, MIN_BATCH_SIZE, MAX_BATCH_SIZE))
    return Schedule(
        epochs=settings.epochs,
        batch_size=settings.batch_size or batch_size,
        learning_rate=settings.learning_rate,
        validate_every=1,
        patience=settings.patience,
    )


def _select_teachers(
    context: RankingContext, teachers: Sequence[TrainedRanker]
) -> list[TrainedRanker]:
    """Selects the teachers whose logits the losses see."""
    combination = context.settings.distillation.teacher_combination
    if combination == "single" or len(teachers) < 2:
        return list(teachers[-1:])
    return list(teachers[:-1])


def _train_distiller(
    context: RankingContext,
    distiller: Distiller,
    batches: Any,
    schedule: Schedule,
    name: str,
    key: dict[str, Any],
) -> TrainingResult:
    """Trains a student, and prunes it if the settings say so."""
    settings, student = context.settings, distiller.student
    pruning, total = settings.pruning, batches.steps_per_epoch * schedule.epochs
    is_pruned = pruning.sparsity > 0 and hasattr(student, "core")
    if is_pruned:
        begin_step, end_step = int(total * pruning.begin), int(total * pruning.end)
        prune.wrap_core(
            student,
            sparsity=pruning.sparsity,
            begin_step=begin_step,
            end_step=max(end_step, begin_step + 1),
        )
    training = run_training(
        distiller,
        batches,
        schedule,
        settings.student.training,
        validate=context.make_validation_fn(student),
        folder=context.folder,
        progress=context.progress,
        label=f"student {name}",
        key=key,
        student=student,
        start_from_epoch=(int(schedule.epochs * pruning.end) + 1) if is_pruned else 1,
        callbacks=prune.make_callbacks() if is_pruned else (),
    )
    if is_pruned:
        prune.strip_core(student)
    return training

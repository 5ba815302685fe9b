"""Builds the Distiller and its batches from the settings of a distillation."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kd_tf import config
from kd_tf.config import Distillation
from kd_tf.data.examples.augmentation import augment
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples
from kd_tf.data.histories import Histories
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses import METHODS, DistillationLoss
from kd_tf.distill.losses.base import DistillationSetup
from kd_tf.distill.teacher_targets import (
    EXTRA_OUTPUTS,
    compute_curriculum_targets,
    compute_teacher_targets,
)
from kd_tf.distill.weighting.base import LossWeighting
from kd_tf.distill.weighting.confidence import TeacherConfidence
from kd_tf.distill.weighting.curriculum import Curriculum
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.distill.weighting.gradient_norm import GradientNorm
from kd_tf.distill.weighting.uncertainty import Uncertainty
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.by_user_id.history_lookup import UserHistoryLookup
from kd_tf.pipeline.stages.cached_model import TrainedModel
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.teacher_ensemble import (
    build_teacher_curriculum,
    combine_teachers,
)
from kd_tf.training.trainer import Schedule

STAGE_IDS = "stage_ids"
"""The label of losses that need the outputs of a curriculum of teachers."""


@dataclass(frozen=True)
class DistillationPlan:
    """The settings of a distillation and its teachers.

    Attributes:
        settings: Settings of the distillation.
        teachers: The members of the ensemble if it is one, and the teacher as the last.
        user_histories: Histories of the training users, if the student takes user IDs and the
            teachers take histories.
    """

    settings: Distillation
    teachers: Sequence[TrainedModel[HistoryModel]]
    user_histories: Histories | None = None

    @property
    def teacher(self) -> HistoryModel:
        """The teacher itself: the last of `teachers`."""
        return self.teachers[-1].model

    def resolve_teacher(self, context: RunContext) -> HistoryModel:
        """Returns the model that the student is distilled from: the teacher or a mixture.

        A mixture is calibrated here, or loaded from the run's cache.

        Raises:
            UserError: The settings combine several teachers, but there is only one.
        """
        return self.for_student(
            combine_teachers(context, self.teachers, self.settings.teacher_combination)
        )

    def for_student(self, teacher: HistoryModel) -> HistoryModel:
        """Returns the teacher with the same inputs as the student: histories or user IDs."""
        if self.user_histories is None:
            return teacher
        return UserHistoryLookup.from_histories(teacher, self.user_histories)


def build_losses(settings: Distillation) -> list[DistillationLoss]:
    """Builds the distillation losses that the settings name.

    Raises:
        UserError: A loss is unknown, or its arguments are wrong.
    """
    return [_build_loss(name, settings) for name in settings.losses]


def build_distiller(
    context: RunContext,
    model: HistoryModel,
    plan: DistillationPlan | None,
    examples: Examples,
    schedule: Schedule,
    *,
    seed: int,
) -> tuple[Distiller, Batches]:
    """Builds a Distiller that is ready for training, and its batches.

    Args:
        context: The run.
        model: The student.
        plan: Settings and teachers of the distillation; None to train the student on ground-truth
            items only.
        examples: Training examples.
        schedule: Training schedule.
        seed: Random seed of the losses and of the order of the examples.

    Raises:
        UserError: A loss does not support this student and teacher, or its settings are wrong.
    """
    if plan is None:
        return Distiller(None, model), _make_batches(examples, schedule, seed)
    settings = plan.settings
    losses = build_losses(settings)
    distiller = Distiller(None, model, losses, weighting=_build_weighting(settings, losses))
    examples = _augment_examples(context, examples, settings)
    batches = _make_batches(examples, schedule, seed)
    teacher = plan.resolve_teacher(context)
    try:
        distiller.build_losses(
            DistillationSetup(
                student=model,
                teachers=[teacher],
                popularity=context.split.popularity(),
                num_steps=batches.steps_per_epoch * schedule.epochs,
                seed=seed,
            )
        )
        labels = _load_teacher_outputs(context, plan, teacher, examples, losses)
    except ValueError as error:
        raise UserError(
            f"{', '.join(settings.losses)} cannot distill {type(teacher).__name__} into "
            f"{type(model).__name__}: {error}",
            where="distillation.losses",
            hint="Choose another loss, student or teacher.",
        ) from error
    return distiller, replace(batches, labels={**batches.labels, **labels})


def cache_teacher_outputs(context: RunContext, plan: DistillationPlan, examples: Examples) -> None:
    """Computes the teacher outputs that a distillation needs, before any student is trained.

    Raises:
        UserError: A loss is unknown, or its settings are wrong.
        ValueError: The teacher does not have an output that a loss reads.
    """
    losses = build_losses(plan.settings)
    examples = _augment_examples(context, examples, plan.settings)
    _load_teacher_outputs(context, plan, plan.resolve_teacher(context), examples, losses)


def _augment_examples(context: RunContext, examples: Examples, settings: Distillation) -> Examples:
    """Adds synthetic histories to the examples: half by item dropout, half by mixup."""
    if not settings.augmentation:
        return examples
    half = settings.augmentation / 2
    return augment(examples, dropout_share=half, mixup_share=half, seed=context.settings.seed)


def _load_teacher_outputs(
    context: RunContext,
    plan: DistillationPlan,
    teacher: HistoryModel,
    examples: Examples,
    losses: Sequence[DistillationLoss],
) -> dict[str, np.ndarray]:
    """Computes the teachers' outputs for the examples, or loads them from the run's cache.

    Args:
        context: The run.
        plan: Settings and teachers of the distillation.
        teacher: What `DistillationPlan.resolve_teacher` returned.
        examples: Training examples.
        losses: The distillation losses, which name the outputs that they read.

    Returns:
        Memory-mapped arrays by name; see `kd_tf.distill.teacher_targets`.

    Raises:
        ValueError: The teacher does not have an output that a loss reads.
    """
    settings = plan.settings
    outputs = sorted({name for loss in losses for name in loss.teacher_outputs})
    extra = [name for name in outputs if name in EXTRA_OUTPUTS]
    combination = settings.teacher_combination
    parts: list[str] = [] if combination == "single" else [combination]
    if settings.augmentation:
        parts.append("augmented")
    folder = context.folder / "-".join(["targets", *parts, *extra])
    targets = compute_teacher_targets(
        teacher,
        examples,
        top_k=settings.top_k,
        teacher_outputs=[name for name in outputs if name != STAGE_IDS],
        folder=folder,
        progress=context.progress,
    )
    if STAGE_IDS not in outputs:
        return targets
    return targets | compute_curriculum_targets(
        [plan.for_student(stage) for stage in build_teacher_curriculum(context, plan.teachers)],
        examples,
        top_k=settings.top_k,
        folder=folder.with_name(f"{folder.name}-stages"),
        progress=context.progress,
    )


def _make_batches(examples: Examples, schedule: Schedule, seed: int) -> Batches:
    """Returns batches without teacher outputs; the order depends on the seed only."""
    return Batches(
        examples.history,
        {"targets": examples.targets},
        batch_size=schedule.batch_size,
        seed=seed,
    )


def _build_loss(name: str, settings: Distillation) -> DistillationLoss:
    """Builds one distillation loss with the arguments of the settings."""
    loss_settings = settings.loss_settings.get(name, config.LossSettings())
    loss_class = METHODS.get(name) or _import_loss(name)
    try:
        return loss_class(**loss_settings.arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"wrong arguments for {name}: {error}",
            where=f"distillation.loss_settings.{name}.arguments",
            hint=f"It takes {', '.join(_list_arguments(loss_class)) or 'no arguments'}.",
        ) from error


def _list_arguments(loss_class: type[DistillationLoss]) -> list[str]:
    """Lists the names of the arguments of a loss."""
    return [
        name
        for name, parameter in inspect.signature(loss_class).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]


def _import_loss(name: str) -> type[DistillationLoss]:
    """Imports a distillation loss of the user's, named ``module:Class``."""
    module, _, attribute = name.partition(":")
    if not attribute:
        raise UserError(
            f"there is no distillation loss {name!r}",
            where="distillation.losses",
            hint=f"Use one of {', '.join(METHODS)}, or your own as module:Class.",
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last, so that no file here takes the name of a package
    try:
        loss_class = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{name} cannot be imported: {error}",
            where="distillation.losses",
            hint="Python must find the module: run the command in its folder, or install it.",
        ) from error
    if not (isinstance(loss_class, type) and issubclass(loss_class, DistillationLoss)):
        raise UserError(
            f"{name} is not a subclass of kd_tf.distill.losses.DistillationLoss",
            where="distillation.losses",
            hint=f"Derive it: class {attribute}(DistillationLoss).",
        )
    return loss_class


def _build_weighting(settings: Distillation, losses: Sequence[DistillationLoss]) -> LossWeighting:
    """Builds the weighting of the settings, with or without a curriculum."""
    weighting = build_weighting(
        settings.weighting,
        settings.student_loss_weight,
        [settings.loss_settings.get(name, config.LossSettings()) for name in settings.losses],
        losses,
    )
    return Curriculum(weighting) if settings.curriculum else weighting


def build_weighting(
    name: str,
    student_loss_weight: float,
    loss_settings: Sequence[config.LossSettings],
    losses: Sequence[DistillationLoss],
    confidence_class: type[TeacherConfidence] = TeacherConfidence,
) -> LossWeighting:
    """Builds the weighting of the student loss and the distillation losses.

    Args:
        name: A name of `kd_tf.choices.WeightingName`.
        student_loss_weight: Weight of the student loss.
        loss_settings: The settings of each loss.
        losses: The losses.
        confidence_class: How the task measures the teacher's confidence.
    """
    weights = [
        loss.default_weight if single.weight is None else single.weight
        for single, loss in zip(loss_settings, losses, strict=True)
    ]
    # There is only one student loss, so the first loss that sets its weight sets it for all.
    student_loss_weight = next(
        (
            single.student_loss_weight
            for single in loss_settings
            if single.student_loss_weight is not None
        ),
        student_loss_weight,
    )
    weightings: dict[str, LossWeighting] = {
        "constant": ConstantWeights(student_loss_weight, weights),
        "uncertainty": Uncertainty(),
        "gradient-norm": GradientNorm(student_loss_weight),
        "confidence": confidence_class(student_loss_weight),
    }
    return weightings[name]

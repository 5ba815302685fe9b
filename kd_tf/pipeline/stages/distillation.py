"""How a student is taught: the settings of a distillation as a Distiller and its batches."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_tf import config
from kd_tf.config import Distillation
from kd_tf.data.examples.augmentation import augment
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples
from kd_tf.data.histories import Histories
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses import METHODS, DistillationLoss
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
"""The label that methods need who learn from several teachers, one after another."""


@dataclass(frozen=True)
class DistillationPlan:
    """How a student is taught, and by whom.

    Attributes:
        settings: Of the distillation.
        teachers: The members of the ensemble if it is one, and the teacher as the last.
        readers: The training readers, where the student knows them by number and the teachers by
            what they read.
    """

    settings: Distillation
    teachers: Sequence[TrainedModel]
    user_histories: Histories | None = None

    @property
    def teacher(self) -> HistoryModel:
        """The last of the teachers."""
        return self.teachers[-1].model

    def for_student(self, teacher: HistoryModel) -> HistoryModel:
        """A teacher as the student's examples ask it."""
        return (
            teacher
            if self.user_histories is None
            else UserHistoryLookup.from_histories(teacher, self.user_histories)
        )


def build_losses(settings: Distillation) -> list[DistillationLoss]:
    """The methods that the settings name, made as they say.

    Raises:
        UserError: A method is unknown, or its settings are wrong.
    """
    return [_build_loss(name, settings) for name in settings.losses]


def build_distiller(
    context: RunContext,
    model: HistoryModel,
    plan: DistillationPlan,
    examples: Examples,
    schedule: Schedule,
    *,
    seed: int,
) -> tuple[Distiller, Batches]:
    """A Distiller that is ready to learn, and what it learns from.

    Args:
        context: Of the run.
        model: The student.
        teaching: How it is taught.
        examples: What it learns from.
        schedule: How long.
        seed: For what methods draw, and the order of the examples.

    Raises:
        UserError: A method cannot teach this student from this teacher, or its settings are
            wrong.
    """
    settings = plan.settings
    known = build_losses(settings)
    examples = augment_examples(examples, settings, context)
    batches = make_supervised_batches(examples, schedule, seed)
    distiller = Distiller(model, known, _build_weighting(settings, known))
    needs = sorted({label for one in known for label in one.teacher_outputs})
    teacher = plan.for_student(
        combine_teachers(context, plan.teachers, settings.teacher_combination)
    )
    try:
        distiller.build_losses(
            context.make_distillation_setup(
                model, teacher, steps=batches.steps_per_epoch * schedule.epochs, seed=seed
            )
        )
        labels = load_teacher_outputs(context, plan, examples, needs)
    except ValueError as error:
        raise UserError(
            f"{', '.join(settings.losses)} cannot teach this student ({type(model).__name__}) "
            f"from this teacher ({type(teacher).__name__}): {error}",
            where="distillation.knowledge",
            hint="Choose another method, student or teacher.",
        ) from error
    return distiller, replace(batches, labels={**batches.labels, **labels})


def augment_examples(examples: Examples, settings: Distillation, context: RunContext) -> Examples:
    """The examples, and as many histories that nobody has as the settings say."""
    if not settings.augmentation:
        return examples
    half = settings.augmentation / 2
    return augment(examples, dropout_share=half, mixup_share=half, seed=context.settings.seed)


def load_teacher_outputs(
    context: RunContext, plan: DistillationPlan, examples: Examples, teacher_outputs: Sequence[str]
) -> dict[str, np.ndarray]:
    """What the teachers say of the examples, from the run's cache where they were asked before.

    Raises:
        ValueError: They cannot say one of `needs`.
    """
    settings = plan.settings
    teacher = plan.for_student(
        combine_teachers(context, plan.teachers, settings.teacher_combination)
    )
    extra = [name for name in teacher_outputs if name in EXTRA_OUTPUTS]
    who = [] if settings.teacher_combination == "one" else [settings.teacher_combination]
    also = ["augmented"] if settings.augmentation else []
    folder = context.folder / "-".join(["targets", *who, *also, *extra])
    found = compute_teacher_targets(
        teacher,
        examples,
        top_k=settings.top_k,
        teacher_outputs=[name for name in teacher_outputs if name != STAGE_IDS],
        folder=folder,
        progress=context.progress,
    )
    if STAGE_IDS not in teacher_outputs:
        return found
    return found | compute_curriculum_targets(
        [plan.for_student(one) for one in build_teacher_curriculum(context, plan.teachers)],
        examples,
        top_k=settings.top_k,
        folder=folder.with_name(f"{folder.name}-stages"),
        progress=context.progress,
    )


def make_supervised_batches(examples: Examples, schedule: Schedule, seed: int) -> Batches:
    """What a student learns from without a teacher: the same batches in the same order."""
    return Batches(
        examples.history,
        {"targets": examples.targets},
        batch_size=schedule.batch_size,
        seed=seed,
    )


def _build_loss(name: str, settings: Distillation) -> DistillationLoss:
    own = settings.loss_settings.get(name, config.LossSettings())
    made = METHODS.get(name) or _import_loss(name)
    try:
        return made(**own.arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name} cannot be made: {error}", where=f"distillation.methods.{name}.settings"
        ) from error


def _import_loss(name: str) -> type[DistillationLoss]:
    """A method of the user's, ``module:Class``."""
    module, _, attribute = name.partition(":")
    if not attribute:
        raise UserError(
            f"there is no method {name!r}",
            where="distillation.knowledge",
            hint=f"There are: {', '.join(METHODS)}; or module:Class of your own.",
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{name} cannot be imported: {error}",
            where="distillation.knowledge",
            hint="The module must be where Python finds it: in the folder that the command runs "
            "in, or installed.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, DistillationLoss)):
        raise UserError(
            f"{name} is not a subclass of kd_tf.distill.losses.Knowledge",
            where="distillation.knowledge",
        )
    return found


def _build_weighting(settings: Distillation, losses: Sequence[DistillationLoss]) -> LossWeighting:
    methods = [settings.loss_settings.get(name, config.LossSettings()) for name in settings.losses]
    weights = [
        method.default_weight if told.weight is None else told.weight
        for told, method in zip(methods, losses, strict=True)
    ]
    # What a method of several wants of alpha is what all get: there is one hard loss.
    alpha = next(
        (one.student_loss_weight for one in methods if one.student_loss_weight is not None),
        settings.student_loss_weight,
    )
    balances: dict[str, LossWeighting] = {
        "fixed": ConstantWeights(alpha, weights),
        "uncertainty": Uncertainty(),
        "gradient-norm": GradientNorm(alpha),
        "confidence": TeacherConfidence(alpha),
    }
    found = balances[settings.weighting]
    return Curriculum(found) if settings.curriculum else found

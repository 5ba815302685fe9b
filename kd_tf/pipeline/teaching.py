"""How a student is taught: the settings of a distillation as a Distiller and its batches."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_tf import config
from kd_tf.config import Distillation
from kd_tf.data.augmentation import augmented
from kd_tf.data.batches import Batches
from kd_tf.data.examples import Examples
from kd_tf.data.histories import Histories
from kd_tf.distill.balance.base import Balance
from kd_tf.distill.balance.confidence import Confidence
from kd_tf.distill.balance.curriculum import Curriculum
from kd_tf.distill.balance.fixed import Fixed
from kd_tf.distill.balance.gradient_norm import GradientNorm
from kd_tf.distill.balance.uncertainty import Uncertainty
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.knowledge import METHODS, Knowledge
from kd_tf.distill.teacher_targets import EXTRA, stage_targets, teacher_targets
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.by_reader import ByReader
from kd_tf.models.training import Schedule
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.faculty import asked, stages
from kd_tf.pipeline.stage import Trained

STAGES = "stage_ids"
"""The label that methods need who learn from several teachers, one after another."""


@dataclass(frozen=True)
class Teaching:
    """How a student is taught, and by whom.

    Attributes:
        settings: Of the distillation.
        teachers: The members of the ensemble if it is one, and the teacher as the last.
        readers: The training readers, where the student knows them by number and the teachers by
            what they read.
    """

    settings: Distillation
    teachers: Sequence[Trained]
    readers: Histories | None = None

    @property
    def teacher(self) -> HistoryModel:
        """The last of the teachers."""
        return self.teachers[-1].model

    def heard(self, teacher: HistoryModel) -> HistoryModel:
        """A teacher as the student's examples ask it."""
        return teacher if self.readers is None else ByReader.of(teacher, self.readers)


def knowledge(settings: Distillation) -> list[Knowledge]:
    """The methods that the settings name, made as they say.

    Raises:
        UserError: A method is unknown, or its settings are wrong.
    """
    return [_method(name, settings) for name in settings.knowledge]


def taught(
    context: Context,
    model: HistoryModel,
    teaching: Teaching,
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
    settings = teaching.settings
    known = knowledge(settings)
    examples = more(examples, settings, context)
    batches = alone(examples, schedule, seed)
    distiller = Distiller(model, known, _balance(settings, known))
    needs = sorted({label for one in known for label in one.needs})
    teacher = teaching.heard(asked(context, teaching.teachers, settings.teachers))
    try:
        distiller.prepare(
            context.lesson(model, teacher, steps=batches.steps * schedule.epochs, seed=seed)
        )
        labels = answers(context, teaching, examples, needs)
    except ValueError as error:
        raise UserError(
            f"{', '.join(settings.knowledge)} cannot teach this student ({type(model).__name__}) "
            f"from this teacher ({type(teacher).__name__}): {error}",
            where="distillation.knowledge",
            hint="Choose another method, student or teacher.",
        ) from error
    return distiller, replace(batches, labels={**batches.labels, **labels})


def more(examples: Examples, settings: Distillation, context: Context) -> Examples:
    """The examples, and as many histories that nobody has as the settings say."""
    if not settings.augmentation:
        return examples
    half = settings.augmentation / 2
    return augmented(examples, thinned_share=half, blended_share=half, seed=context.settings.seed)


def answers(
    context: Context, teaching: Teaching, examples: Examples, needs: Sequence[str]
) -> dict[str, np.ndarray]:
    """What the teachers say of the examples, from the run's cache where they were asked before.

    Raises:
        ValueError: They cannot say one of `needs`.
    """
    settings = teaching.settings
    teacher = teaching.heard(asked(context, teaching.teachers, settings.teachers))
    extra = [name for name in needs if name in EXTRA]
    who = [] if settings.teachers == "one" else [settings.teachers]
    also = ["augmented"] if settings.augmentation else []
    folder = context.folder / "-".join(["targets", *who, *also, *extra])
    found = teacher_targets(
        teacher,
        examples,
        top=settings.top,
        needs=[name for name in needs if name != STAGES],
        folder=folder,
        progress=context.progress,
    )
    if STAGES not in needs:
        return found
    return found | stage_targets(
        [teaching.heard(one) for one in stages(context, teaching.teachers)],
        examples,
        top=settings.top,
        folder=folder.with_name(f"{folder.name}-stages"),
        progress=context.progress,
    )


def alone(examples: Examples, schedule: Schedule, seed: int) -> Batches:
    """What a student learns from without a teacher: the same batches in the same order."""
    return Batches(
        examples.history,
        {"targets": examples.targets},
        batch_size=schedule.batch_size,
        seed=seed,
    )


def _method(name: str, settings: Distillation) -> Knowledge:
    own = settings.methods.get(name, config.Method())
    made = METHODS.get(name) or _own(name)
    try:
        return made(**own.settings)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name} cannot be made: {error}", where=f"distillation.methods.{name}.settings"
        ) from error


def _own(name: str) -> type[Knowledge]:
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
    if not (isinstance(found, type) and issubclass(found, Knowledge)):
        raise UserError(
            f"{name} is not a subclass of kd_tf.distill.knowledge.Knowledge",
            where="distillation.knowledge",
        )
    return found


def _balance(settings: Distillation, known: Sequence[Knowledge]) -> Balance:
    methods = [settings.methods.get(name, config.Method()) for name in settings.knowledge]
    weights = [
        method.default_weight if told.weight is None else told.weight
        for told, method in zip(methods, known, strict=True)
    ]
    # What a method of several wants of alpha is what all get: there is one hard loss.
    alpha = next((one.alpha for one in methods if one.alpha is not None), settings.alpha)
    balances: dict[str, Balance] = {
        "fixed": Fixed(alpha, weights),
        "uncertainty": Uncertainty(),
        "gradient-norm": GradientNorm(alpha),
        "confidence": Confidence(alpha),
    }
    found = balances[settings.balance]
    return Curriculum(found) if settings.curriculum else found

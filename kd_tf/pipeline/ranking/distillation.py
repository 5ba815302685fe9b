"""Builds the distillation losses of a run of the ranking task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.config import LossSettings
from kd_tf.config.ranking import RankingDistillation
from kd_tf.distill.losses.base import DistillationLoss
from kd_tf.distill.losses.row import ROW_METHODS
from kd_tf.distill.losses.row.base import RowDistillationLoss
from kd_tf.distill.weighting.base import LossWeighting
from kd_tf.distill.weighting.row_confidence import RowTeacherConfidence
from kd_tf.errors import UserError
from kd_tf.pipeline.stages.cached_model import TrainedModel
from kd_tf.pipeline.stages.distillation import build_weighting


def build_row_losses(
    settings: RankingDistillation, teachers: Sequence[TrainedModel[Any]]
) -> list[DistillationLoss]:
    """Builds the losses of the settings.

    Args:
        settings: Names and arguments of the losses, and how several teachers are combined.
        teachers: The teachers whose logits the losses see.

    Raises:
        UserError: An argument of a loss is wrong.
    """
    losses = []
    for name in settings.losses:
        arguments: dict[str, Any] = dict(settings.loss_settings.get(name, LossSettings()).arguments)
        loss_class = ROW_METHODS[name]
        if issubclass(loss_class, RowDistillationLoss) and len(teachers) > 1:
            if settings.teacher_combination == "confidence":
                arguments.setdefault("teachers", "confidence")
            elif settings.teacher_combination == "weighted":
                scores = [teacher.validation_score for teacher in teachers]
                arguments.setdefault("teacher_weights", _weight_by_score(scores))
        try:
            losses.append(loss_class(**arguments))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{name}: {error}", where=f"distillation.loss_settings.{name}.arguments"
            ) from error
    return losses


def build_row_weighting(
    settings: RankingDistillation, losses: Sequence[DistillationLoss]
) -> LossWeighting:
    """Builds the weighting of the student loss and the distillation losses."""
    return build_weighting(
        settings.weighting,
        settings.student_loss_weight,
        [settings.loss_settings.get(name, LossSettings()) for name in settings.losses],
        losses,
        RowTeacherConfidence,
    )


def _weight_by_score(scores: Sequence[float]) -> list[float]:
    """Weights teachers by how far they are above a coin (AUC .5, or 1 - RMSE of .5)."""
    return [max(score - 0.5, 1e-3) for score in scores]

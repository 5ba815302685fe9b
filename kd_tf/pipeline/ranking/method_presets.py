"""Defines the methods that a comparison of the ranking task compares: losses and presets."""

from __future__ import annotations

from typing import Any

from kd_tf.config import RankingConfig
from kd_tf.distill.losses.row import ROW_METHODS
from kd_tf.errors import UserError
from kd_tf.pipeline.method_presets import PRESETS

RANKING_PRESETS: dict[str, dict[str, Any]] = {
    name: PRESETS[name]["distillation"]
    for name in (
        "average-teachers",
        "weighted-teachers",
        "confident-teachers",
        "uncertainty",
        "gradient-norm",
        "confidence",
    )
}
"""By name: the settings of the distillation that differ from those of plain soft targets."""


def list_ranking_methods(settings: RankingConfig) -> list[str]:
    """Returns the names of all methods that these settings allow."""
    return [
        *ROW_METHODS,
        *(name for name in RANKING_PRESETS if not _has_no_members(name, settings)),
    ]


def configure_ranking_method(name: str, settings: RankingConfig) -> RankingConfig:
    """Returns the settings of one method.

    Args:
        name: A distillation loss, a preset, or losses joined by ``+``.
        settings: Settings of the comparison.

    Raises:
        UserError: There is no such method, or it needs several teachers.

    Example:
        >>> settings = configure_ranking_method("soft-targets+hint", RankingConfig())
        >>> settings.distillation.losses
        ('soft-targets', 'hint')
    """
    changes: dict[str, Any] = {"losses": ("soft-targets",)}
    if name in RANKING_PRESETS:
        if _has_no_members(name, settings):
            raise UserError(
                f"{name} needs several teachers, but there is one",
                where="teacher.architecture",
                hint="Leave the method out, or take the teacher ensemble.",
            )
        changes |= RANKING_PRESETS[name]
    else:
        losses = tuple(name.split("+"))
        unknown = [loss for loss in losses if loss not in ROW_METHODS]
        if unknown:
            raise UserError(
                f"there is no method {unknown[0]!r}",
                hint=f"Use one of {', '.join([*ROW_METHODS, *RANKING_PRESETS])}.",
            )
        changes["losses"] = losses
    loss_settings = settings.distillation.loss_settings
    # Those of other losses change nothing, so that they train nothing anew.
    changes["loss_settings"] = {
        loss: loss_settings[loss] for loss in changes["losses"] if loss in loss_settings
    }
    single = loss_settings.get(name)
    if single is not None and single.student_loss_weight is not None:
        changes["student_loss_weight"] = single.student_loss_weight
    distillation = settings.distillation.model_copy(update=changes)
    return settings.model_copy(update={"distillation": distillation})


def _has_no_members(name: str, settings: RankingConfig) -> bool:
    """Says whether a preset combines several teachers where there is only one."""
    combines = "teacher_combination" in RANKING_PRESETS[name]
    teacher = settings.teacher
    return combines and (teacher.architecture != "ensemble" or len(teacher.members) < 2)

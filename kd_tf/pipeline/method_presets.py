"""Defines the methods that `kd-tf compare` compares: single losses, and presets from papers."""

from __future__ import annotations

from typing import Any

from kd_tf.config import Config
from kd_tf.distill.losses import METHODS
from kd_tf.errors import UserError

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "ir-rrd": {"distillation": {"losses": ("rrd", "item-side")}},
    "dcd-both": {"distillation": {"losses": ("dcd", "dcd-item")}},
    "average-teachers": {"distillation": {"teacher_combination": "average"}},
    "weighted-teachers": {"distillation": {"teacher_combination": "weighted"}},
    "confident-teachers": {"distillation": {"teacher_combination": "confidence"}},
    "teacher-assistant": {"distillation": {"assistant_width_multiplier": 3}},
    "augmentation": {"distillation": {"augmentation": 0.5}},
    "curriculum": {"distillation": {"curriculum": True}},
    "uncertainty": {"distillation": {"weighting": "uncertainty"}},
    "gradient-norm": {"distillation": {"weighting": "gradient-norm"}},
    "confidence": {"distillation": {"weighting": "confidence"}},
    "mixed": {"pruning": {"sparsity": 0.5}, "student": {"quantization_aware": True}},
}
"""By name: the settings that differ from those of plain soft targets."""


def list_methods() -> list[str]:
    """Returns the names of all distillation losses and presets."""
    return [*METHODS, *PRESETS]


def configure_method(name: str, settings: Config) -> Config:
    """Returns the settings of one method.

    Args:
        name: A distillation loss, a preset, or losses joined by ``+``; a loss may also be your own
            as ``module:Class``.
        settings: Settings of the comparison.

    Raises:
        UserError: There is no such method.
    """
    # Without pruning and fake quantization, students differ in their distillation only.
    changes: dict[str, dict[str, Any]] = {
        "pruning": {"sparsity": 0.0},
        "student": {"quantization_aware": False},
        "distillation": {"losses": ("soft-targets",)},
    }
    if name in PRESETS:
        for section, values in PRESETS[name].items():
            changes[section] |= values
    else:
        parts = tuple(name.split("+"))
        unknown = [part for part in parts if part not in METHODS and ":" not in part]
        if unknown:
            raise UserError(
                f"there is no method {unknown[0]!r}",
                hint=f"Use one of {', '.join(list_methods())}.",
            )
        changes["distillation"]["losses"] = parts
    loss_settings = settings.distillation.loss_settings.get(name)
    if loss_settings is not None and loss_settings.student_loss_weight is not None:
        changes["distillation"]["student_loss_weight"] = loss_settings.student_loss_weight
    return settings.model_copy(
        update={
            section: getattr(settings, section).model_copy(update=values)
            for section, values in changes.items()
        }
    )

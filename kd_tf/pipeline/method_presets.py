"""What `kd-tf compare` compares: single methods, and what papers make of several."""

from __future__ import annotations

from typing import Any

from kd_tf.config import Config
from kd_tf.distill.losses import METHODS
from kd_tf.errors import UserError

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "ir-rrd": {"distillation": {"knowledge": ("rrd", "item-side")}},
    "dcd-both": {"distillation": {"knowledge": ("dcd", "dcd-item")}},
    "average-teachers": {"distillation": {"teachers": "average"}},
    "weighted-teachers": {"distillation": {"teachers": "weighted"}},
    "confident-teachers": {"distillation": {"teachers": "confidence"}},
    "teacher-assistant": {"distillation": {"assistant": 3}},
    "augmentation": {"distillation": {"augmentation": 0.5}},
    "curriculum": {"distillation": {"curriculum": True}},
    "uncertainty": {"distillation": {"balance": "uncertainty"}},
    "gradient-norm": {"distillation": {"balance": "gradient-norm"}},
    "confidence": {"distillation": {"balance": "confidence"}},
    "mixed": {"pruning": {"sparsity": 0.5}, "student": {"quantization_aware": True}},
}
"""By the name in tables: what is set otherwise than for soft targets alone."""


def list_methods() -> list[str]:
    """Every method and way."""
    return [*METHODS, *PRESETS]


def configure_method(name: str, settings: Config) -> Config:
    """The settings of one row of the table.

    Args:
        name: A method, a way, or methods joined by ``+``; ``module:Class`` is a method too.
        settings: Of the comparison.

    Raises:
        UserError: There is no such method.
    """
    # Compared is what is learnt; a pruned core would be one more difference.
    changes: dict[str, dict[str, Any]] = {
        "pruning": {"sparsity": 0.0},
        "student": {"quantization_aware": False},
        "distillation": {"knowledge": ("soft-targets",)},
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
                hint=f"There are: {', '.join(list_methods())}.",
            )
        changes["distillation"]["knowledge"] = parts
    own = settings.distillation.loss_settings.get(name)
    if own is not None and own.student_loss_weight is not None:
        changes["distillation"]["alpha"] = own.student_loss_weight
    return settings.model_copy(
        update={
            section: getattr(settings, section).model_copy(update=values)
            for section, values in changes.items()
        }
    )

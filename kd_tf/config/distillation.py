"""Settings of the distillation: losses, weighting, training examples and pruning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kd_tf.choices import WeightingName
from kd_tf.config.section import PositiveInt, Section, Share


class LossSettings(Section):
    """Settings of one distillation loss that replace its defaults."""

    weight: Annotated[float, Field(ge=0)] | None = Field(
        None, description="weight of this loss; default: its own, docs/explanation/distillation.md"
    )
    student_loss_weight: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="replaces distillation.student_loss_weight"
    )
    arguments: dict[str, float | int | bool | str] = Field(
        {}, description="keyword arguments of its class; docs/explanation/distillation.md"
    )


class Distillation(Section):
    """How the student is distilled.

    The total loss is ``w * student_loss + (1 - w) * sum of weight * distillation_loss`` with
    ``w = student_loss_weight``.

    Example:
        >>> distillation = Distillation(
        ...     losses=("soft-targets", "rrd"),
        ...     loss_settings={"rrd": {"weight": 0.5}},
        ... )
        >>> distillation.student_loss_weight, distillation.loss_settings["rrd"].weight
        (0.3, 0.5)
    """

    losses: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("soft-targets",),
        description="distillation losses, docs/explanation/distillation.md; your own as "
        "module:Class",
    )
    student_loss_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3, description="weight of the loss on ground-truth items"
    )
    weighting: WeightingName = Field(
        "constant", description="how student and distillation losses are weighted"
    )
    curriculum: bool = Field(False, description="train on the easiest examples first")
    teacher_combination: Literal["single", "average", "weighted", "confidence"] = Field(
        "single",
        description="single: the teacher; else a mixture of the ensemble's members: the mean of "
        "their probabilities, weighted by validation NDCG@10, or weighted per user by confidence",
    )
    assistant_width_multiplier: Annotated[int, Field(ge=0)] = Field(
        0,
        description="width of a teacher assistant (TAKD) as a multiple of the student's; 0: no "
        "assistant",
    )
    augmentation: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0,
        description="synthetic histories for the teacher to label, as a share of the users: half "
        "item dropout, half mixup",
    )
    top_k: PositiveInt = Field(100, description="how many of the teacher's top items are kept")
    loss_settings: dict[str, LossSettings] = Field(
        {}, description="settings of single losses by name: weight, student_loss_weight, arguments"
    )


class Examples(Section):
    """How training examples are sampled from the training histories."""

    num_passes: PositiveInt = Field(8, description="examples per user")
    num_targets: PositiveInt | None = Field(
        None, description="targets per example; default: 4 with timestamps, 16 without"
    )


class Pruning(Section):
    """Magnitude pruning of the student's dense core.

    Example:
        >>> pruning = Pruning(sparsity=0.75)
        >>> pruning.begin, pruning.end
        (0.2, 0.6)
    """

    sparsity: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="share of zeros at the end; 0: no pruning"
    )
    begin: Share = Field(0.2, description="share of training after which pruning begins")
    end: Share = Field(0.6, description="share of training after which pruning ends")

    @model_validator(mode="after")
    def _check_order(self) -> Pruning:
        if self.begin >= self.end:
            raise ValueError(f"begin must be less than end, not {self.begin} and {self.end}")
        return self

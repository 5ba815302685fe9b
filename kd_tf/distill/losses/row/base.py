"""The base of losses that compare one prediction per row with those of one or several teachers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.models.ranking.base import RankingModel

TeacherCombination = Literal["mean", "confidence"]
"""How the logits of several teachers become one."""


class RowDistillationLoss(DistillationLoss):
    """Base of losses on the logit of each row.

    Args:
        teachers: With several teachers: ``mean`` averages their logits, with `teacher_weights` if
            they are given. ``confidence`` weights the teachers of each row by how well they predict
            its label, ``(1 - softmax of their cross-entropies) / (T - 1)``: Zhang, Chen & Wang,
            "Confidence-Aware Multi-Teacher Knowledge Distillation" (ICASSP 2022).
        teacher_weights: A weight per teacher, 0 or more, that sum to 1 or anything else.
        anneal: Whether the teacher's logits grow from 0 to their size over the training, so that
            the first steps learn from a simpler teacher: Jafari et al., "Annealing Knowledge
            Distillation" (EACL 2021).

    Example:
        >>> labels = {"teacher_logits": [[2.0, 0.0]], "targets": [1.0]}
        >>> batch = DistillationBatch.from_row_logits([0.0], labels)
        >>> RowDistillationLoss().combine_teachers(batch).numpy().tolist()
        [1.0]
        >>> weighted = RowDistillationLoss(teacher_weights=[3.0, 1.0])
        >>> weighted.combine_teachers(batch).numpy().tolist()
        [1.5]
    """

    student_classes = (RankingModel,)

    def __init__(
        self,
        teachers: TeacherCombination = "mean",
        *,
        teacher_weights: Sequence[float] | None = None,
        anneal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if teachers not in ("mean", "confidence"):
            raise ValueError(f"teachers must be mean or confidence, not {teachers!r}")
        if teacher_weights is not None:
            teacher_weights = tuple(teacher_weights)
            if teachers != "mean":
                raise ValueError("teacher_weights have no effect with teachers='confidence'")
            if min(teacher_weights, default=-1) < 0 or not sum(teacher_weights) > 0:
                raise ValueError(
                    f"teacher_weights must be 0 or more, and not all 0: {list(teacher_weights)}"
                )
        self.teachers, self.teacher_weights, self.anneal = teachers, teacher_weights, anneal

    def combine_teachers(self, batch: DistillationBatch) -> tf.Tensor:
        """Returns the logit of each row that the student learns from: float32 [B]."""
        logits = tf.cast(batch.labels["teacher_logits"], tf.float32)
        num_teachers = logits.shape[1]
        if self.teacher_weights is not None and len(self.teacher_weights) != num_teachers:
            raise ValueError(
                f"there are {num_teachers} teachers, but {len(self.teacher_weights)} weights"
            )
        if num_teachers == 1:
            logit = logits[:, 0]
        elif self.teachers == "confidence":
            logit = tf.reduce_sum(_compute_confidences(logits, batch) * logits, axis=1)
        else:
            weights = tf.constant(self.teacher_weights or (1.0,) * num_teachers, tf.float32)
            logit = tf.linalg.matvec(logits, weights / tf.reduce_sum(weights))
        return logit * batch.progress if self.anneal else logit

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "teachers": self.teachers,
            "teacher_weights": self.teacher_weights,
            "anneal": self.anneal,
        }


def _compute_confidences(logits: tf.Tensor, batch: DistillationBatch) -> tf.Tensor:
    """Computes the weight of every teacher for each row: float32 [B, T], rows sum to 1."""
    targets = tf.broadcast_to(batch.labels["targets"][:, tf.newaxis], tf.shape(logits))
    losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    return (1.0 - tf.nn.softmax(losses, axis=1)) / (logits.shape[1] - 1)

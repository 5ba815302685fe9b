"""Losses on the one prediction that a model of the ranking task makes per row.

They have the names of the losses on a catalog that do the same: `ROW_METHODS`.

Example:
    >>> ROW_METHODS["soft-targets"].__name__
    'RowSoftTargets'
"""

from __future__ import annotations

from kd_tf.distill.losses.base import DistillationLoss
from kd_tf.distill.losses.row.hint import RowHint
from kd_tf.distill.losses.row.logit_matching import RowLogitMatching
from kd_tf.distill.losses.row.mutual import RowMutualLearning
from kd_tf.distill.losses.row.soft_targets import RowSoftTargets
from kd_tf.distill.losses.row.teacher_cross_entropy import TeacherCrossEntropy

ROW_METHODS: dict[str, type[DistillationLoss]] = {
    "cross-entropy": TeacherCrossEntropy,
    "soft-targets": RowSoftTargets,
    "logit-matching": RowLogitMatching,
    "hint": RowHint,
    "mutual": RowMutualLearning,
}
"""The losses of the ranking task by the names that the configuration and result tables use."""

"""Small models for apps, listed by their names in the configuration."""

from __future__ import annotations

from kd_tf.models.base import HistoryModel
from kd_tf.models.students.fold_in import FoldInStudent
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.logistic import LogisticStudent
from kd_tf.models.students.low_rank import LowRankStudent
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.multi_interest import MultiInterestStudent
from kd_tf.models.students.neighbours import NeighboursStudent
from kd_tf.models.students.shallow_cnn import ShallowCNNStudent
from kd_tf.models.students.two_tower import TwoTowerStudent
from kd_tf.models.weighted_ensemble import WeightedEnsemble

TRAINED_STUDENTS: dict[str, type[HistoryModel]] = {
    "mlp": MLPStudent,
    "shallow-cnn": ShallowCNNStudent,
    "logistic": LogisticStudent,
    "two-tower": TwoTowerStudent,
    "multi-interest": MultiInterestStudent,
}
"""Students that are initialized at random and trained by gradient descent."""

WARM_STARTED_STUDENTS: dict[str, type[HistoryModel]] = {
    "neighbours": NeighboursStudent,
    "item-kernel": ItemKernelStudent,
    "low-rank": LowRankStudent,
    "fold-in": FoldInStudent,
    "low-rank-residual": WeightedEnsemble,
    "kernel-residual": WeightedEnsemble,
    "fold-in-residual": WeightedEnsemble,
}
"""Students that are initialized from a teacher's item scores (`kd_tf.distill.warm_start`)."""

STUDENTS = {**TRAINED_STUDENTS, **WARM_STARTED_STUDENTS}
"""All students."""

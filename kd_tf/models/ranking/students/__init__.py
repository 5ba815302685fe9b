"""Students of the ranking task, by the names of the configuration."""

from kd_tf.models.ranking.students.factorization_machine import FactorizationMachineStudent
from kd_tf.models.ranking.students.logistic_regression import LogisticRegressionStudent
from kd_tf.models.ranking.students.mlp import RankingMLPStudent

RANKING_STUDENTS = {
    "logistic-regression": LogisticRegressionStudent,
    "factorization-machine": FactorizationMachineStudent,
    "mlp": RankingMLPStudent,
}
"""The students by name, smallest first."""

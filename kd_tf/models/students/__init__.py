"""Small models that run in an app, by the name that a configuration uses."""

from __future__ import annotations

from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.shallow_cnn import ShallowCNNStudent
from kd_tf.models.tied_table import TiedTableModel

STUDENTS: dict[str, type[TiedTableModel]] = {
    "mlp": MLPStudent,
    "shallow-cnn": ShallowCNNStudent,
}

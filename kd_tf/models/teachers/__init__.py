"""Large models that students learn from, by the name that a configuration uses."""

from __future__ import annotations

from kd_tf.models.teachers.cnn import CNNTeacher
from kd_tf.models.teachers.gru import GRUTeacher
from kd_tf.models.teachers.wide import WideAndDeepTeacher

TEACHERS: dict[str, type[WideAndDeepTeacher]] = {
    "gru": GRUTeacher,
    "cnn": CNNTeacher,
}

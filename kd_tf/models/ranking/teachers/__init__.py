"""Teachers of the ranking task, by the names of the configuration."""

from kd_tf.models.ranking.teachers.cnn import FeatureCNNTeacher
from kd_tf.models.ranking.teachers.dcn import DCNTeacher
from kd_tf.models.ranking.teachers.deep import DeepFeatureModel, DeepTeacher
from kd_tf.models.ranking.teachers.deepfm import DeepFMTeacher
from kd_tf.models.ranking.teachers.text import TextTeacher
from kd_tf.models.ranking.teachers.two_stream import TwoStreamTeacher

RANKING_TEACHERS: dict[str, type[DeepFeatureModel]] = {
    "deep": DeepTeacher,
    "dcn": DCNTeacher,
    "deepfm": DeepFMTeacher,
    "two-stream": TwoStreamTeacher,
    "cnn": FeatureCNNTeacher,
    "text": TextTeacher,
}
"""The teachers that are trained by gradient descent, by name."""

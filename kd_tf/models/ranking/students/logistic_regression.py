"""The smallest student of the ranking task: one weight per value of a feature."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.ranking.embedding_model import sum_linear_term
from kd_tf.models.ranking.students.base import RankingStudentModel
from kd_tf.runtime.features.layout import FeatureLayout


@keras.saving.register_keras_serializable(package="kd_tf")
class LogisticRegressionStudent(RankingStudentModel):
    """Adds one weight per feature value, one per number and a bias.

    Args:
        layout: The features of the rows.
        **kwargs: As for `RankingStudentModel`, without ``embedding_dim``.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> student = LogisticRegressionStudent(FeatureLayout((CategoricalFeature("user", 9),), ()))
        >>> student({"categorical": tf.constant([[3], [0]])}).shape
        TensorShape([2])
    """

    def __init__(self, layout: FeatureLayout | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(layout, embedding_dim=1, **kwargs)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        inputs = self.reduce_numbers(inputs)
        return sum_linear_term(self.embedding(inputs, training=training)) + self.bias

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["embedding_dim"]
        return config

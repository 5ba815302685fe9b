"""A factorization machine: a weight and a short vector per value of a feature."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.ranking.embedding_model import (
    make_linear_term,
    sum_linear_term,
)
from kd_tf.models.ranking.factorization import sum_pair_products
from kd_tf.models.ranking.students.base import RankingStudentModel
from kd_tf.runtime.features.layout import FeatureLayout


@keras.saving.register_keras_serializable(package="kd_tf")
class FactorizationMachineStudent(RankingStudentModel):
    """Adds the dot products of all pairs of features to a logistic regression.

    Rendle, "Factorization Machines" (ICDM 2010).

    Args:
        layout: The features of the rows.
        embedding_dim: Length of the vectors.
        **kwargs: As for `RankingStudentModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> features = CategoricalFeature("user", 9), CategoricalFeature("item", 5)
        >>> layout = FeatureLayout(features, ())
        >>> student = FactorizationMachineStudent(layout, embedding_dim=4)
        >>> student({"categorical": tf.constant([[3, 2], [0, 1]])}).shape
        TensorShape([2])
    """

    def __init__(
        self, layout: FeatureLayout | dict[str, Any], *, embedding_dim: int = 8, **kwargs: Any
    ) -> None:
        super().__init__(layout, embedding_dim=embedding_dim, **kwargs)
        self.linear = make_linear_term(self.inner_layout, self.l2)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        inputs = self.reduce_numbers(inputs)
        embeddings = self.embedding(inputs, training=training)
        linear = sum_linear_term(self.linear(inputs, training=training))
        return linear + sum_pair_products(embeddings) + self.bias

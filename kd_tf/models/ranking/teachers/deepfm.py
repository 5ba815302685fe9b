"""A teacher of the ranking task: a factorization machine and a deep network, DeepFM."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.ranking.dense import make_dense_layers
from kd_tf.models.ranking.embedding_model import make_linear_term, sum_linear_term
from kd_tf.models.ranking.factorization import sum_pair_products
from kd_tf.models.ranking.teachers.deep import DeepFeatureModel
from kd_tf.runtime.features.layout import FeatureLayout


@keras.saving.register_keras_serializable(package="kd_tf")
class DeepFMTeacher(DeepFeatureModel):
    """A factorization machine and dense layers that share their embeddings.

    Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction" (IJCAI
    2017).

    Args:
        layout: The features of the rows.
        **kwargs: As for `DeepFeatureModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> teacher = DeepFMTeacher(FeatureLayout((CategoricalFeature("user", 9),), ()), hidden=[8])
        >>> teacher({"categorical": tf.constant([[3], [0]])}).shape
        TensorShape([2])
    """

    def __init__(self, layout: FeatureLayout | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(layout, **kwargs)
        self.linear = make_linear_term(self.layout, self.l2)
        self.deep = make_dense_layers(self.hidden, dropout=self.dropout)

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        return self._encode(inputs, self.embedding(inputs, training=training), training)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        embeddings = self.embedding(inputs, training=training)
        deep = self.output_layer(self._encode(inputs, embeddings, training))[:, 0]
        linear = sum_linear_term(self.linear(inputs, training=training))
        return linear + sum_pair_products(embeddings) + deep + self.bias

    def _encode(
        self, inputs: dict[str, tf.Tensor], embeddings: tf.Tensor, training: bool
    ) -> tf.Tensor:
        return self.deep(self.flatten_features(inputs, embeddings), training=training)

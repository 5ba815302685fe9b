"""A teacher of the ranking task: a deep and cross network, DCN V2."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf, tfrs
from kd_tf.models.ranking.dense import make_dense_layers
from kd_tf.models.ranking.teachers.deep import DeepFeatureModel
from kd_tf.runtime.features.layout import FeatureLayout


@keras.saving.register_keras_serializable(package="kd_tf")
class DCNTeacher(DeepFeatureModel):
    """Cross layers beside dense layers, over the joined embeddings and numbers of a row.

    Wang et al., "DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale Learning
    to Rank Systems" (WWW 2021), in its parallel form, with `tfrs.layers.dcn.Cross`.

    Args:
        layout: The features of the rows.
        cross_layers: Number of cross layers: the highest order of products of features, less one.
        **kwargs: As for `DeepFeatureModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> teacher = DCNTeacher(FeatureLayout((CategoricalFeature("user", 9),), ()), hidden=[8])
        >>> teacher({"categorical": tf.constant([[3], [0]])}).shape
        TensorShape([2])
    """

    def __init__(
        self, layout: FeatureLayout | dict[str, Any], *, cross_layers: int = 3, **kwargs: Any
    ) -> None:
        super().__init__(layout, **kwargs)
        if cross_layers < 1:
            raise ValueError(f"cross_layers must be at least 1, not {cross_layers}")
        self.cross_layers = cross_layers
        self.crosses = [
            tfrs.layers.dcn.Cross(name=f"cross_{number}") for number in range(1, cross_layers + 1)
        ]
        self.deep = make_dense_layers(self.hidden, dropout=self.dropout)

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        features = self.flatten_features(inputs, self.embedding(inputs, training=training))
        products = features
        for cross in self.crosses:
            products = cross(features, products)
        return tf.concat([products, self.deep(features, training=training)], axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cross_layers": self.cross_layers}

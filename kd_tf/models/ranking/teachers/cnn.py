"""A teacher of the ranking task: a 1-D CNN over the embeddings of the features."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.ranking.dense import make_dense_layers
from kd_tf.models.ranking.teachers.deep import DeepFeatureModel
from kd_tf.runtime.features.layout import FeatureLayout


@keras.saving.register_keras_serializable(package="kd_tf")
class FeatureCNNTeacher(DeepFeatureModel):
    """Convolutions along the features of a row, and dense layers over all their outputs.

    Liu et al., "A Convolutional Click Prediction Model" (CIKM 2015), which pools where this joins.
    A convolution sees neighbouring features, so it depends on their order.

    Args:
        layout: The features of the rows.
        filters: Channels of each of the two convolutions.
        kernel_size: Features that a convolution sees at once.
        **kwargs: As for `DeepFeatureModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> layout = FeatureLayout((CategoricalFeature("user", 9),), ())
        >>> teacher = FeatureCNNTeacher(layout, hidden=[8])
        >>> teacher({"categorical": tf.constant([[3], [0]])}).shape
        TensorShape([2])
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        filters: int = 32,
        kernel_size: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(layout, **kwargs)
        if filters < 1 or kernel_size < 1:
            raise ValueError(
                f"filters and kernel_size must be at least 1, not {filters} and {kernel_size}"
            )
        self.filters, self.kernel_size = filters, kernel_size
        self.convolutions = [
            keras.layers.Conv1D(
                filters, kernel_size, padding="same", activation="relu", name=f"conv_{number}"
            )
            for number in (1, 2)
        ]
        self.deep = make_dense_layers(self.hidden, dropout=self.dropout)

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        embeddings = self.embedding(inputs, training=training)
        maps = embeddings
        for convolution in self.convolutions:
            maps = convolution(maps)
        num_features = len(self.layout.categorical) + self.layout.num_numeric
        flat_maps = tf.reshape(maps, [-1, num_features * self.filters])
        features = tf.concat([self.flatten_features(inputs, embeddings), flat_maps], axis=1)
        return self.deep(features, training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
        }

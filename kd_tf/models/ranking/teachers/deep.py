"""A teacher of the ranking task: a deep network over the embeddings of the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.ranking.dense import make_dense_layers
from kd_tf.models.ranking.embedding_model import FeatureEmbeddingModel, make_output_layer
from kd_tf.runtime.features.layout import FeatureLayout

HIDDEN = (256, 128, 64)
"""Widths of the hidden layers of deep teachers by default."""


class DeepFeatureModel(FeatureEmbeddingModel):
    """Base of teachers with hidden layers.

    Args:
        layout: The features of the rows.
        hidden: Width of each hidden layer.
        dropout: Share of hidden units dropped in training.
        **kwargs: As for `FeatureEmbeddingModel`.
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        hidden: Sequence[int] = HIDDEN,
        dropout: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(layout, **kwargs)
        self.hidden, self.dropout = tuple(hidden), dropout
        self.output_layer = make_output_layer()

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        return self.output_layer(self.representation(inputs, training))[:, 0] + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": list(self.hidden), "dropout": self.dropout}


@keras.saving.register_keras_serializable(package="kd_tf")
class DeepTeacher(DeepFeatureModel):
    """Dense layers over the joined embeddings and numbers of a row.

    The deep part of Cheng et al., "Wide & Deep Learning for Recommender Systems" (DLRS 2016).

    Args:
        layout: The features of the rows.
        **kwargs: As for `DeepFeatureModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> teacher = DeepTeacher(FeatureLayout((CategoricalFeature("user", 9),), ()), hidden=[8])
        >>> teacher({"categorical": tf.constant([[3], [0]])}).shape
        TensorShape([2])
    """

    def __init__(self, layout: FeatureLayout | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(layout, **kwargs)
        self.deep = make_dense_layers(self.hidden, dropout=self.dropout)

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        embeddings = self.embedding(inputs, training=training)
        return self.deep(self.flatten_features(inputs, embeddings), training=training)

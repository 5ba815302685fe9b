"""The base of models that embed the features of a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.layers.feature_embedding import FeatureEmbedding
from kd_tf.layers.mixed_feature_embedding import MixedFeatureEmbedding
from kd_tf.models.ranking.base import RankingModel
from kd_tf.runtime.features.layout import FeatureLayout


class FeatureEmbeddingModel(RankingModel):
    """Base of models that embed every feature and have an output bias.

    Args:
        layout: The features of the rows.
        embedding_dim: Length of the embedding of a feature, d.
        l2: Weight of the squared embeddings in the loss; see `FeatureEmbedding`.
        **kwargs: As for `RankingModel`.
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        embedding_dim: int = 16,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(layout, **kwargs)
        self.embedding_dim, self.l2 = embedding_dim, l2
        self.embedding = self.make_embedding()
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def make_embedding(self) -> FeatureEmbedding | MixedFeatureEmbedding:
        """Makes the layer that looks up the vectors of a row."""
        return FeatureEmbedding(self.layout, self.embedding_dim, l2=self.l2, name="embedding")

    def prepare_fit(self, train: RankingExamples) -> None:
        """Sets the bias of a new model so that the first prediction is the mean label."""
        super().prepare_fit(train)
        if float(self.bias) != 0.0:
            return  # It was trained before and goes on where it ended.
        mean = float(np.clip(np.mean(train.labels, dtype=np.float64), 1e-6, 1 - 1e-6))
        self.bias.assign(np.log(mean / (1 - mean)))

    def flatten_features(self, inputs: dict[str, tf.Tensor], embeddings: tf.Tensor) -> tf.Tensor:
        """Joins the embeddings of a row and its numbers: float32 [B, features * d + G]."""
        flat = tf.reshape(embeddings, [-1, self.embedding.num_outputs])
        if self.layout.num_numeric:
            return tf.concat([flat, inputs["numeric"]], axis=1)
        return flat

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "embedding_dim": self.embedding_dim, "l2": self.l2}


def make_linear_term(layout: FeatureLayout, l2: float) -> FeatureEmbedding:
    """Makes the linear term of a model: a weight per value and per number, [B, features, 1]."""
    return FeatureEmbedding(layout, 1, l2=l2, name="linear")


def sum_linear_term(weights: tf.Tensor) -> tf.Tensor:
    """Sums the weights of a linear term, [B, features, 1], to float32 [B]."""
    return tf.reduce_sum(weights, axis=[1, 2])


def make_output_layer(name: str = "output") -> keras.layers.Dense:
    """Makes the layer from the last hidden vector to the logit; the bias is the model's."""
    return keras.layers.Dense(1, use_bias=False, name=name)

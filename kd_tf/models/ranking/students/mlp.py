"""A student of the ranking task: a small multilayer perceptron over short embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.feature_embedding import FeatureEmbedding
from kd_tf.layers.mixed_feature_embedding import MixedFeatureEmbedding
from kd_tf.models.ranking.dense import make_dense_layers
from kd_tf.models.ranking.embedding_model import make_output_layer
from kd_tf.models.ranking.students.base import RankingStudentModel
from kd_tf.runtime.features.layout import FeatureLayout


@keras.saving.register_keras_serializable(package="kd_tf")
class RankingMLPStudent(RankingStudentModel):
    """Two small dense layers over the embeddings of the features.

    Args:
        layout: The features of the rows.
        embedding_dim: Length of the embeddings.
        embedding_width: ``equal``, or ``by-cardinality``: shorter for features of few values; see
            `MixedFeatureEmbedding`.
        hidden: Width of each hidden layer.
        dropout: Share of hidden units dropped in training.
        **kwargs: As for `RankingStudentModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> layout = FeatureLayout((CategoricalFeature("user", 9),), ("price",))
        >>> student = RankingMLPStudent(layout, embedding_dim=4)
        >>> rows = {"categorical": tf.constant([[3]]), "numeric": tf.constant([[0.5]])}
        >>> student(rows).shape, student.representation(rows).shape
        (TensorShape([1]), TensorShape([1, 32]))
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        embedding_dim: int = 8,
        embedding_width: str = "equal",
        hidden: Sequence[int] = (64, 32),
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if embedding_width not in ("equal", "by-cardinality"):
            raise ValueError(
                f"embedding_width must be equal or by-cardinality, not {embedding_width!r}"
            )
        self._embedding_width = embedding_width
        super().__init__(layout, embedding_dim=embedding_dim, **kwargs)
        self.hidden, self.dropout = tuple(hidden), dropout
        # A Sequential of its own: pruning wraps this part only.
        self.core = make_dense_layers(hidden, dropout=dropout, name="core")
        self.output_layer = make_output_layer()

    def make_embedding(self) -> FeatureEmbedding | MixedFeatureEmbedding:
        """Makes the layer that looks up the vectors of a row."""
        if self._embedding_width == "equal" or not self.layout.categorical:
            return super().make_embedding()
        return MixedFeatureEmbedding(
            self.inner_layout, self.embedding_dim, l2=self.l2, name="embedding"
        )

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        inputs = self.reduce_numbers(inputs)
        embeddings = self.embedding(inputs, training=training)
        return self.core(self.flatten_features(inputs, embeddings), training=training)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        return self.output_layer(self.representation(inputs, training))[:, 0] + self.bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "embedding_width": self._embedding_width,
            "hidden": list(self.hidden),
            "dropout": self.dropout,
        }

"""The base of students: models of features whose numbers may be reduced to components."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.layers.feature_embedding import FeatureEmbedding
from kd_tf.layers.mixed_feature_embedding import MixedFeatureEmbedding
from kd_tf.layers.principal_components import PrincipalComponents
from kd_tf.models.ranking.embedding_model import FeatureEmbeddingModel
from kd_tf.runtime.features.layout import FeatureLayout


class RankingStudentModel(FeatureEmbeddingModel):
    """Base of students. `call` begins with `reduce_numbers`.

    Args:
        layout: The features of the rows.
        num_components: The numbers of a row are replaced by so many principal components, which
            `fit` finds; None leaves them as they are.
        **kwargs: As for `FeatureEmbeddingModel`.
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        num_components: int | None = None,
        **kwargs: Any,
    ) -> None:
        # The base makes the embedding, for which it is needed.
        self._num_components = num_components
        super().__init__(layout, **kwargs)
        self.components = (
            None
            if num_components is None
            else PrincipalComponents(self.layout.num_numeric, num_components, name="components")
        )

    @property
    def inner_layout(self) -> FeatureLayout:
        """The features that embeddings are looked up for: components in place of numbers."""
        if self._num_components is None:
            return self.layout
        numbers = tuple(f"component {number}" for number in range(1, self._num_components + 1))
        return FeatureLayout(self.layout.categorical, numbers)

    def make_embedding(self) -> FeatureEmbedding | MixedFeatureEmbedding:
        """Makes the layer that looks up the vectors of a row."""
        return FeatureEmbedding(self.inner_layout, self.embedding_dim, l2=self.l2, name="embedding")

    def reduce_numbers(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the inputs with components in place of numbers."""
        if self.components is None:
            return inputs
        return {**inputs, "numeric": self.components(inputs["numeric"])}

    def prepare_fit(self, train: RankingExamples) -> None:
        """Finds the components of a new model, and sets its bias."""
        is_new = float(self.bias) == 0.0
        super().prepare_fit(train)
        if is_new and self.components is not None:
            self.components.fit(train.select_features(self.layout).numeric)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_components": self._num_components}

"""Embeddings of features whose length grows with the number of their values."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.feature_embedding import FeatureEmbedding, describe_layout
from kd_tf.runtime.features.layout import FeatureLayout


def choose_width(num_ids: int, max_width: int) -> int:
    """Returns the length of the embedding of a feature: the fourth root of its number of ids.

    Example:
        >>> [choose_width(num_ids, 8) for num_ids in (5, 26, 300, 100_000)]
        [1, 2, 4, 8]
    """
    return int(min(max(round(num_ids**0.25), 1), max_width))


class MixedFeatureEmbedding(keras.layers.Layer):
    """Looks up a vector for every categorical feature, long ones where it has many values.

    A device of three values needs fewer numbers than a user of a hundred thousand. Features of one
    length share a table. Numbers have no vector: the layer above reads them as they are. The rule
    is that of the feature columns of TensorFlow; Ginart et al., "Mixed Dimension Embeddings with
    Application to Memory-Efficient Recommendation Systems" (2019), say why.

    Args:
        layout: The features, at least one of them categorical.
        dim: The longest vector.
        l2: As in `FeatureEmbedding`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> features = CategoricalFeature("user", 900), CategoricalFeature("device", 5)
        >>> layer = MixedFeatureEmbedding(FeatureLayout(features, ()), dim=8)
        >>> layer({"categorical": tf.constant([[3, 2]])}).shape, layer.num_outputs
        (TensorShape([1, 6]), 6)
    """

    def __init__(self, layout: FeatureLayout, dim: int, *, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layout, self.dim, self.l2 = layout, dim, l2
        widths = [choose_width(feature.num_ids, dim) for feature in layout.categorical]
        self.num_outputs = sum(widths)
        self.parts, self.places = [], []
        for width in sorted(set(widths)):
            part = FeatureLayout(
                tuple(
                    feature
                    for feature, feature_width in zip(layout.categorical, widths, strict=True)
                    if feature_width == width
                ),
                (),
            )
            self.parts.append(FeatureEmbedding(part, width, l2=l2, name=f"width_{width}"))
            self.places.append(layout.find_places(part)[0])

    @property
    def num_rows(self) -> int:
        """Rows of the smallest table."""
        return min(part.layout.num_ids for part in self.parts)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the joined vectors, shortest first: float32 [B, num_outputs]."""
        vectors = [
            tf.reshape(
                part(
                    {"categorical": tf.gather(inputs["categorical"], places, axis=1)},
                    training=training,
                ),
                [-1, len(part.layout.categorical) * part.dim],
            )
            for part, places in zip(self.parts, self.places, strict=True)
        ]
        return vectors[0] if len(vectors) == 1 else tf.concat(vectors, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "layout": describe_layout(self.layout),
            "dim": self.dim,
            "l2": self.l2,
        }

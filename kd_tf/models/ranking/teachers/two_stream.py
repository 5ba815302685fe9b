"""A teacher of the ranking task: two deep networks that see gated features, FinalMLP."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.models.ranking.dense import make_dense_layers
from kd_tf.models.ranking.teachers.deep import DeepFeatureModel
from kd_tf.runtime.features.layout import FeatureLayout


@keras.saving.register_keras_serializable(package="kd_tf")
class TwoStreamTeacher(DeepFeatureModel):
    """Two dense networks over differently gated features, joined by a bilinear form in heads.

    Mao et al., "FinalMLP: An Enhanced Two-Stream MLP Model for CTR Prediction" (AAAI 2023). Each
    stream's gate reads all features; there it reads those of the user or of the item.

    Args:
        layout: The features of the rows.
        num_heads: Number of parts of the two vectors that are multiplied with each other; it
            divides the width of the last hidden layer.
        **kwargs: As for `DeepFeatureModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> layout = FeatureLayout((CategoricalFeature("user", 9),), ())
        >>> teacher = TwoStreamTeacher(layout, hidden=[8], num_heads=2)
        >>> teacher({"categorical": tf.constant([[3], [0]])}).shape
        TensorShape([2])
    """

    def __init__(
        self, layout: FeatureLayout | dict[str, Any], *, num_heads: int = 4, **kwargs: Any
    ) -> None:
        super().__init__(layout, **kwargs)
        width = self.hidden[-1]
        if num_heads < 1 or width % num_heads:
            raise ValueError(
                f"num_heads must divide the last hidden layer's width, {width}: {num_heads} does "
                "not"
            )
        self.num_heads = num_heads
        num_inputs = (
            len(self.layout.categorical) + self.layout.num_numeric
        ) * self.embedding_dim + self.layout.num_numeric
        self.gates = [
            keras.Sequential(
                [
                    keras.layers.Dense(width, activation="relu"),
                    keras.layers.Dense(num_inputs, activation="sigmoid"),
                ],
                name=f"gate_{stream}",
            )
            for stream in (1, 2)
        ]
        self.streams = [
            make_dense_layers(self.hidden, dropout=self.dropout, name=f"stream_{stream}")
            for stream in (1, 2)
        ]
        self.bilinear = self.add_weight(
            name="bilinear",
            shape=(num_heads, width // num_heads, width // num_heads),
            initializer="glorot_uniform",
        )

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        return tf.concat(self._encode(inputs, training), axis=1)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        first, second = self._encode(inputs, training)
        linear = self.output_layer(tf.concat([first, second], axis=1))[:, 0]
        heads = [-1, self.num_heads, self.hidden[-1] // self.num_heads]
        product = tf.einsum(
            "bhi,hij,bhj->b",
            tf.reshape(first, heads),
            self.bilinear,
            tf.reshape(second, heads),
        )
        return linear + product + self.bias

    def _encode(self, inputs: dict[str, tf.Tensor], training: bool) -> list[tf.Tensor]:
        """Returns the vectors of both streams, float32 [B, width] each."""
        features = self.flatten_features(inputs, self.embedding(inputs, training=training))
        return [
            stream(2.0 * gate(features) * features, training=training)
            for gate, stream in zip(self.gates, self.streams, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}

"""Embeddings of the features of encoded rows."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout


class FeatureEmbedding(keras.layers.Layer):
    """Looks up a vector for every feature of a row.

    All categorical features share one table, each with rows of its own, so that a row takes one
    lookup however many features it has. A feature with a list of values gets their mean; with an
    empty list it gets the row of its missing value. A numeric feature j gets x_j times a vector of
    its own, as in Rendle, "Factorization Machines" (2010).

    Args:
        layout: The features.
        dim: Length of the vectors, d.
        stddev: Standard deviation of the initial weights.
        l2: Weight of the penalty in training: the mean over the rows of a batch of the sum of the
            squared weights that a row uses. So the weights of a frequent value count more often, as
            in the regularized loss of matrix factorization.

    Example:
        >>> layout = FeatureLayout((CategoricalFeature("user", 9),), ("price",))
        >>> layer = FeatureEmbedding(layout, dim=4)
        >>> layer({"categorical": tf.constant([[3]]), "numeric": tf.constant([[0.5]])}).shape
        TensorShape([1, 2, 4])
    """

    def __init__(
        self,
        layout: FeatureLayout,
        dim: int,
        *,
        stddev: float = 0.05,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if dim < 1 or l2 < 0:
            raise ValueError(f"dim must be at least 1 and l2 0 or more, not {dim} and {l2}")
        self.layout, self.dim, self.stddev, self.l2 = layout, dim, stddev, l2

    @property
    def num_outputs(self) -> int:
        """Number of numbers in the vectors of a row."""
        return (len(self.layout.categorical) + self.layout.num_numeric) * self.dim

    @property
    def num_rows(self) -> int:
        """Rows of the table of ids."""
        return self.layout.num_ids

    def build(self, input_shape: Any) -> None:
        """Creates the tables."""
        if self.layout.num_places:
            self.table = self.add_weight(
                name="table",
                shape=(self.layout.num_ids, self.dim),
                initializer=self._make_initializer(),
            )
        if self.layout.num_numeric:
            self.numeric_table = self.add_weight(
                name="numeric_table",
                shape=(self.layout.num_numeric, self.dim),
                initializer=self._make_initializer(),
            )
        super().build(input_shape)

    def _make_initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=self.stddev)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the vectors, categorical features first: float32 [B, features, d]."""
        vectors = []
        if self.layout.num_places:
            vectors.append(self._embed_categorical(inputs["categorical"]))
        if self.layout.num_numeric:
            vectors.append(inputs["numeric"][:, :, tf.newaxis] * self.numeric_table)
        embeddings = vectors[0] if len(vectors) == 1 else tf.concat(vectors, axis=1)
        if training and self.l2:
            batch_size = tf.cast(tf.shape(embeddings)[0], tf.float32)
            self.add_loss(self.l2 * tf.reduce_sum(tf.square(embeddings)) / batch_size)
        return embeddings

    def _embed_categorical(self, ids: tf.Tensor) -> tf.Tensor:
        layout = self.layout
        sizes = [layout.categorical[index].num_ids for index in layout.feature_of_place]
        is_valid = (ids >= 0) & (ids < tf.constant(sizes))
        # An id that no feature has counts as a missing value.
        ids = tf.where(is_valid, ids, 0)
        rows = tf.gather(self.table, ids + tf.constant(layout.id_offsets))
        if layout.num_places == len(layout.categorical):
            return rows
        vectors, begin = [], 0
        for is_list, features in groupby(layout.categorical, lambda it: it.num_values > 1):
            # Neighbours with one value each are taken together.
            for num_places in (
                [feature.num_values for feature in features] if is_list else [len(list(features))]
            ):
                places = slice(begin, begin + num_places)
                part = rows[:, places]
                vectors.append(_average_values(ids[:, places], part) if is_list else part)
                begin += num_places
        return tf.concat(vectors, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "layout": describe_layout(self.layout),
            "dim": self.dim,
            "stddev": self.stddev,
            "l2": self.l2,
        }


def _average_values(ids: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Averages the vectors of a list of values: [B, n, d] to [B, 1, d].

    Places without a value have the id 0. A list without any has the vector of that id.
    """
    num_places = ids.shape[1]
    is_used = ids > 0
    count = tf.reduce_sum(tf.cast(is_used, tf.int32), axis=1, keepdims=True)
    # From a table, because int8 kernels have no division.
    shares = tf.constant([1 / num_places, *(1 / n for n in range(1, num_places + 1))], tf.float32)
    weights = tf.cast(is_used | (count < 1), tf.float32) * tf.gather(shares, count)
    return tf.reduce_sum(rows * weights[:, :, tf.newaxis], axis=1, keepdims=True)


def describe_layout(layout: FeatureLayout) -> dict[str, Any]:
    """Returns a layout as JSON, for the configuration of a model.

    Example:
        >>> layout = FeatureLayout((CategoricalFeature("user", 9),), ("price",))
        >>> read_layout(describe_layout(layout)) == layout
        True
    """
    return {
        "categorical": [
            [feature.name, feature.num_ids, feature.num_values] for feature in layout.categorical
        ],
        "numeric": list(layout.numeric),
    }


def read_layout(description: FeatureLayout | dict[str, Any]) -> FeatureLayout:
    """Returns the layout of `describe_layout`, or the layout itself."""
    if isinstance(description, FeatureLayout):
        return description
    return FeatureLayout(
        tuple(CategoricalFeature(*feature) for feature in description["categorical"]),
        tuple(description["numeric"]),
    )

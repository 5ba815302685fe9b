"""A teacher of the ranking task: factorization machines drawn from their posterior."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.layers.feature_embedding import FeatureEmbedding
from kd_tf.models.closed_form.parallel import count_threads
from kd_tf.models.ranking import fitting
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.bayesian.columns import SharedSets, make_feature_columns
from kd_tf.models.ranking.bayesian.sampler import Sample, sample_posterior
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.features.layout import UNKNOWN_ID, FeatureLayout

_LAYER_SAMPLES = 8
_LARGEST_TABLE, _LEAST_SAMPLES = 1 << 25, 8
_SQRT_2 = 2.0**0.5
_TINY = 1e-30
_LEAST_RATING = 1e-3

BURN_IN = 0.3
"""Share of the sweeps before the first sample that is kept."""


@keras.saving.register_keras_serializable(package="kd_tf")
class BayesianFactorizationMachineTeacher(RankingModel):
    """Averages the predictions of factorization machines that are sampled from their posterior.

    `fit` runs a Gibbs sampler instead of gradient descent, so there is no learning rate and no
    regularization to choose: the priors of every feature are sampled too. With `history_features`
    it is an SVD++ in both directions: a user has the vectors of the items of the user's training
    rows too, and an item those of its users.
    Sources: Rendle, "Factorization Machines with libFM" (ACM TIST 2012); Koren, "Factorization
    meets the neighborhood" (KDD 2008); Rendle, Zhang & Koren, "On the Difficulty of Evaluating
    Baselines" (2019), where it beats the deep models of its day.

    Args:
        layout: The features of the rows.
        embedding_dim: Length of the vectors.
        num_samples: Number of samples that are kept, from the sweeps after the burn-in.
        sweeps: Number of sweeps of the sampler.
        history_features: Names of the features of user and item, or None.
        **kwargs: As for `RankingModel`.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> features = CategoricalFeature("user", 9), CategoricalFeature("item", 5)
        >>> teacher = BayesianFactorizationMachineTeacher(FeatureLayout(features, ()))
        >>> teacher({"categorical": tf.constant([[3, 2], [0, 1]])}).shape
        TensorShape([2])
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        embedding_dim: int = 8,
        num_samples: int = 50,
        sweeps: int = 150,
        history_features: tuple[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(layout, **kwargs)
        self.embedding_dim, self.num_samples, self.sweeps = embedding_dim, num_samples, sweeps
        self.history_features = (
            None if history_features is None else (history_features[0], history_features[1])
        )
        for name in self.history_features or ():
            self._find_feature(name)
        self.bias = self.add_weight(
            name="bias", shape=(num_samples,), initializer="zeros", trainable=False
        )
        # Of each sample the vector and then the linear weight. Few samples a layer: a batch needs
        # memory for all values of a layer.
        self.embeddings = [
            FeatureEmbedding(
                self.layout,
                min(_LAYER_SAMPLES, num_samples - first) * (embedding_dim + 1),
                trainable=False,
                name=f"samples_{first}",
            )
            for first in range(0, num_samples, _LAYER_SAMPLES)
        ]
        self.scale = self.add_weight(name="scale", shape=(2,), initializer="ones", trainable=False)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        predictions, _ = self._compute_samples(inputs)
        if self.label_kind == "rating":
            offset, factor = self.scale[0], self.scale[1]
            mean = offset + factor * tf.reduce_mean(predictions, axis=1)
            mean = tf.clip_by_value(mean, _LEAST_RATING, 1 - _LEAST_RATING)
            return tf.math.log(mean) - tf.math.log1p(-mean)
        # Of the mean of Phi(s) and of Phi(-s), so that neither is rounded to 0.
        positive = tf.reduce_mean(tf.math.erfc(-predictions / _SQRT_2), axis=1)
        negative = tf.reduce_mean(tf.math.erfc(predictions / _SQRT_2), axis=1)
        return tf.math.log(positive + _TINY) - tf.math.log(negative + _TINY)

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the sum of the vectors of each row in the last sample: float32 [B, d]."""
        return self._compute_samples(inputs)[1][:, -1]

    def _compute_samples(self, inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the prediction of each sample, [B, S], and the sums of the vectors, [B, S, d]."""
        dim = self.embedding_dim
        all_totals, all_pairs = [], []
        for embedding in self.embeddings:
            values = embedding(inputs)
            num_samples = embedding.dim // (dim + 1)
            values = tf.reshape(values, [-1, values.shape[1], num_samples, dim + 1])
            total = tf.reduce_sum(values, axis=1)
            squares = tf.reduce_sum(tf.square(values[..., :dim]), axis=1)
            pairs = 0.5 * tf.reduce_sum(tf.square(total[..., :dim]) - squares, axis=2)
            all_totals.append(total)
            all_pairs.append(pairs)
        total = tf.concat(all_totals, axis=1)
        return self.bias + total[..., dim] + tf.concat(all_pairs, axis=1), total[..., :dim]

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        validation_data: Any = None,
        seed: int = 0,
        progress: Progress | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Samples the weights, given training rows.

        Args:
            x: ``split.train``.
            y: None: labels are part of the rows.
            validation_data: ``split.validation``, whose metrics the history then has.
            seed: Of all draws.
            progress: Counts the sweeps.
            **kwargs: What only training needs (`epochs`, `batch_size`, `callbacks`, `verbose`):
                accepted, so that one program can fit teachers of both kinds.

        Returns:
            A history of one epoch, with ``val_auc`` or ``val_rmse`` if there are validation rows.

        Raises:
            TypeError: `x` are no rows, or an argument is not one of those.
        """
        unknown = sorted(set(kwargs) - {"epochs", "batch_size", "callbacks", "verbose"})
        if unknown:
            raise TypeError(f"fit got an unknown argument {unknown[0]!r}")
        if not isinstance(x, RankingExamples) or y is not None:
            raise TypeError("a sampled teacher is fitted on rows, such as split.train")
        self.create_weights()
        x = x.select_features(self.layout)
        labels = np.asarray(x.labels, np.float64)
        is_binary = self.label_kind == "click"
        if not is_binary:
            mean, stddev = float(labels.mean()), max(float(labels.std()), 1e-6)
            self.scale.assign([mean, stddev])
            labels = (labels - mean) / stddev
        kept_sweeps = _choose_sweeps(self.sweeps, self.num_samples)
        samples = []
        with ThreadPoolExecutor(count_threads()) as pool:
            groups = list(make_feature_columns(x, pool))
            sets = self._make_sets(x)
            draws = sample_posterior(
                [*groups, *sets.values()], labels,
                dim=self.embedding_dim, is_binary=is_binary, seed=seed,
            )  # fmt: skip
            with (progress or NullProgress()).task("sampling", self.sweeps) as advance:
                for sweep, sample in zip(range(self.sweeps), draws, strict=False):
                    if sweep in kept_sweeps:
                        folded_sample = self._fold_sets(sample, sets, len(groups))
                        samples += [folded_sample] * kept_sweeps.count(sweep)
                    advance(1)
        self._assign_samples(samples)
        history = keras.callbacks.History()
        history.set_model(self)
        history.on_train_begin()
        logs: dict[str, Any] = {}
        validation = fitting.make_validation_callback(validation_data, self)
        if validation is not None:
            validation.on_epoch_end(0, logs)
        history.on_epoch_end(0, logs)
        return history

    def _make_sets(self, train: RankingExamples) -> dict[int, SharedSets]:
        """Makes the sets of users and of items, by the index of their feature."""
        if self.history_features is None:
            return {}
        indices = [self._find_feature(name) for name in self.history_features]
        features = [self.layout.categorical[index] for index in indices]
        places = [self.layout.feature_of_place.index(index) for index in indices]
        ids = [np.ascontiguousarray(train.categorical[:, place]) for place in places]
        sets = {}
        for owner, member in ((0, 1), (1, 0)):
            has_set = np.arange(features[owner].num_ids) > UNKNOWN_ID
            sets[indices[owner]] = SharedSets(
                ids[owner], ids[member], features[owner].num_ids, features[member].num_ids, has_set
            )
        return sets

    def _find_feature(self, name: str) -> int:
        for index, feature in enumerate(self.layout.categorical):
            if feature.name == name and feature.num_values == 1:
                return index
        raise ValueError(f"no categorical feature with one value is called {name!r}")

    def _fold_sets(self, sample: Sample, sets: dict[int, SharedSets], num_groups: int) -> Any:
        """Adds the sets to the vectors of their owners: [columns, d + 1] in float32, and the bias.

        The products of a set's members with each other and with their owner are the same in all
        rows of the owner, so they become part of its linear weight.
        """
        linear = [theta.copy() for theta in sample.linear[:num_groups]]
        vectors = [vector.copy() for vector in sample.vectors[:num_groups]]
        for number, (index, owner_sets) in enumerate(sets.items(), start=num_groups):
            members, vector = sample.vectors[number].T, vectors[index]
            total = np.asarray(owner_sets.matrix @ members).T
            squares = np.asarray(owner_sets.matrix.power(2) @ np.square(members)).T
            pairs = 0.5 * np.sum(np.square(vector + total) - np.square(vector) - squares, axis=0)
            linear[index] += owner_sets.matrix @ sample.linear[number] + pairs
            vectors[index] = vector + total
        table = np.concatenate(
            [np.concatenate(vectors, axis=1), np.concatenate(linear)[None]], axis=0
        )
        return sample.bias, np.ascontiguousarray(table.T, np.float32)

    def _assign_samples(self, samples: list[Any]) -> None:
        self.bias.assign(np.array([bias for bias, _ in samples], np.float32))
        num_ids = self.layout.num_ids
        for layer, embedding in enumerate(self.embeddings):
            first = layer * _LAYER_SAMPLES
            tables = np.concatenate(
                [table for _, table in samples[first : first + _LAYER_SAMPLES]], axis=1
            )
            if num_ids:
                embedding.table.assign(tables[:num_ids])
            if self.layout.num_numeric:
                embedding.numeric_table.assign(tables[num_ids:])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "num_samples": self.num_samples,
            "sweeps": self.sweeps,
            "history_features": None
            if self.history_features is None
            else list(self.history_features),
        }


def _choose_sweeps(num_sweeps: int, num_samples: int) -> list[int]:
    """Spreads the samples evenly over the sweeps after the burn-in."""
    first = int(num_sweeps * BURN_IN)
    return [round(sweep) for sweep in np.linspace(num_sweeps - 1, first, num_samples)]


def limit_samples(layout: FeatureLayout, embedding_dim: int, num_samples: int) -> int:
    """Returns the number of samples, or fewer where all of them have over 2^25 weights.

    Example:
        >>> limit_samples(FeatureLayout((), ("price",)), 8, 50)
        50
    """
    size = (layout.num_ids + layout.num_numeric) * (embedding_dim + 1)
    return max(min(num_samples, _LARGEST_TABLE // size), min(num_samples, _LEAST_SAMPLES))

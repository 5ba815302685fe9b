"""A linear autoencoder with a zero diagonal in closed form: EASE with side information."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import keras, tf
from kd_tf.baselines import ease
from kd_tf.data.histories import Histories
from kd_tf.errors import UserError
from kd_tf.models.additive import AdditiveModel, compute_popularity_prior
from kd_tf.models.closed_form.co_occurrence import USER_WEIGHT_POWER, count_shared_features
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.training_data import TrainingData

REGULARIZATIONS = (20.0, 50.0, 150.0)
"""Values of lambda, in users, that are tuned on validation users."""

SHARED_FEATURE_WEIGHTS = (0.0, 3.0)
"""How many users one shared author or series is worth; tuned on validation users."""

MAX_TUNING_ITEMS = 12_000
"""Settings are not tuned for larger catalogs: the time of a fit grows with V cubed."""

PRIOR_STRENGTH = 1e-3
"""Prior of the most popular item: far below any useful weight."""


@keras.saving.register_keras_serializable(package="kd_tf")
class LinearAutoencoderTeacher(ClosedFormFit, AdditiveModel):
    """Predicts every item from all others with one dense matrix.

    EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019) on histories that are
    weighted by their length to the power of -1/4, with authors and series as side information
    (Jeunen et al., 2020).

    Args:
        **kwargs: As for `AdditiveModel`.
    """

    def __init__(self, num_items: int, **kwargs: Any) -> None:
        super().__init__(num_items, **kwargs)
        self.item_weights = self.add_weight(
            name="item_weights",
            shape=(self.num_items + 1, self.num_items + 1),
            initializer="zeros",
        )

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns float32 [N, V + 1], what the items `ids` int32 [N] add to all scores."""
        return tf.gather(self.item_weights, ids)

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        """Computes the scores of `call` in NumPy: float32 [n, V + 1]."""
        interactions = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        scores = interactions @ self.item_weights.numpy() + self.prior.numpy()
        return np.asarray(scores, np.float32)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        weights = self.item_weights.numpy()
        weights = mixtures.mix_rows(mixtures.mix_rows(weights).T).T
        weights[mixtures.items, mixtures.items] = 0
        self.item_weights.assign(weights)

    def solve(self, data: TrainingData) -> None:
        """Solves the matrix; lambda and the side information are tuned on validation users.

        Raises:
            UserError: The matrix does not fit into memory; the hint names a sparse alternative.
        """
        num_items = data.train.num_items
        matrix_bytes = 4 * num_items**2
        if matrix_bytes > ease.MAX_BYTES:
            raise UserError(
                f"a linear autoencoder of {num_items:,} items needs three dense matrices of "
                f"{matrix_bytes / 2**30:.1f} GiB each; the limit for one is "
                f"{ease.MAX_BYTES / 2**30:.1f} GiB",
                hint="Use the teacher local-ridge: it is the same model, but sparse.",
            )
        features = count_shared_features(data.catalog)
        feature_weights = SHARED_FEATURE_WEIGHTS if features.nnz else SHARED_FEATURE_WEIGHTS[:1]
        settings = [
            (regularization, feature_weight)
            for regularization in REGULARIZATIONS
            for feature_weight in feature_weights
        ]
        tunes = num_items <= MAX_TUNING_ITEMS and len(data.validation_metric) > 0
        with data.progress.task("linear autoencoder", len(settings) * tunes + 1) as advance:
            gram, mean_weight = _compute_gram(data.train, num_items)

            def apply_setting(setting: tuple[float, float]) -> None:
                regularization, feature_weight = setting
                # Without tuning, the Gram matrix is used once: overwriting it saves a copy.
                system = gram.copy(order="F") if tunes else gram
                if feature_weight:
                    _add_features(system, features, feature_weight * mean_weight)
                weights = np.zeros((num_items + 1, num_items + 1), np.float32)
                weights[1:, 1:] = ease.solve_weights(system, regularization * mean_weight)
                self.item_weights.assign(weights)
                advance()

            def evaluate_setting(setting: tuple[float, float]) -> float:
                apply_setting(setting)
                return data.validation_metric(self.numpy_scores)

            default = (50.0, feature_weights[-1])
            apply_setting(max(settings, key=evaluate_setting) if tunes else default)
        self.prior.assign(compute_popularity_prior(data.train.popularity(), PRIOR_STRENGTH))


def _compute_gram(histories: Histories, num_items: int) -> tuple[np.ndarray, float]:
    """Computes the Gram matrix of weighted histories.

    Returns:
        float32 [V, V] in Fortran order, and the mean weight of an interaction.
    """
    matrix = histories.to_csr_matrix(num_items)
    length = np.maximum(np.diff(matrix.indptr), 1).astype(np.float32)
    weighted_matrix = sparse.csr_array(sparse.diags_array(length**USER_WEIGHT_POWER) @ matrix)
    squared_sum = np.sum(weighted_matrix.data.astype(np.float64) ** 2)
    mean_weight = float(squared_sum / max(float(matrix.sum()), 1.0))
    return ease.compute_gram(weighted_matrix), mean_weight


def _add_features(gram: np.ndarray, features: sparse.csr_array, weight: float) -> None:
    """Adds `weight` for each shared feature to `gram` [V, V], in place."""
    shared_features = features[1:, 1:].tocoo()
    gram[shared_features.row, shared_features.col] += np.float32(weight) * shared_features.data

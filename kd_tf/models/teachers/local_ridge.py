"""The teacher for large catalogs: a sparse ridge regression for every item."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.closed_form.co_occurrence import (
    CoOccurrence,
    add_shared_features,
    count_co_occurrences,
    count_shared_features,
)
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.closed_form.local_ridge import LocalRidge, fit_local_ridge
from kd_tf.models.sparse_item_item import SparseItemItemModel
from kd_tf.models.training_data import TrainingData

NUM_NEIGHBOURS = 60
"""Neighbours that each item is predicted from."""

REGULARIZATIONS = (10.0, 30.0, 100.0)
"""Values of lambda, in users, that are tuned on validation users."""

SHARED_FEATURE_WEIGHTS = (0.0, 3.0)
"""How many users one shared author or series is worth; tuned on validation users."""

DEFAULT_REGULARIZATION = 30.0
MAX_TUNING_ITEMS = 50_000
"""Settings are not tuned for larger catalogs, where one fit takes minutes."""

PRIOR_STRENGTH = 1e-3
"""Prior of the most popular item: far below any neighbour's weight, so it only ranks the items that
have no neighbour in the history."""


@keras.saving.register_keras_serializable(package="kd_tf")
class LocalRidgeTeacher(ClosedFormFit, SparseItemItemModel):
    """A sparse item-item model with an exact fit that scales linearly with the catalog.

    See `kd_tf.models.closed_form.local_ridge`.

    Args:
        regularization: Lambda, in users.
        shared_feature_weight: How many users one shared author or series is worth.
        use_low_rated: True uses low-rated interactions as evidence too (`Split.low_rated`).
        **kwargs: As for `SparseItemItemModel`.
    """

    def __init__(
        self,
        num_items: int,
        *,
        regularization: float = 30.0,
        shared_feature_weight: float = 0.0,
        use_low_rated: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_items, **kwargs)
        self.regularization, self.shared_feature_weight = regularization, shared_feature_weight
        self.use_low_rated = use_low_rated

    def solve(self, data: TrainingData) -> None:
        """Fits the ridge regressions; the settings are selected on the validation users.

        The settings are lambda, the weight of shared authors and series, and whether low-rated
        interactions are used.
        """
        best = choose_ridge(data)[0]
        self.regularization = best.regularization
        self.shared_feature_weight = best.shared_feature_weight
        self.use_low_rated = best.use_low_rated
        self.fit_matrix(best.to_matrix())
        self.prior.assign(best.prior.numpy())

    @classmethod
    def from_ridge(
        cls,
        ridge: LocalRidge,
        data: TrainingData,
        regularization: float,
        shared_feature_weight: float,
        use_low_rated: bool,
    ) -> LocalRidgeTeacher:
        """Creates the teacher from a fitted ridge and the settings that it was fitted with."""
        matrix = ridge.to_matrix()
        model = cls(
            num_items=data.train.num_items,
            max_length=data.max_length,
            num_entries=matrix.nnz,
            regularization=regularization,
            shared_feature_weight=shared_feature_weight,
            use_low_rated=use_low_rated,
        )
        model.create_weights()
        model.assign(matrix)
        model.prior.assign(compute_popularity_prior(data.train.popularity(), PRIOR_STRENGTH))
        return model

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "regularization": self.regularization,
            "shared_feature_weight": self.shared_feature_weight,
            "use_low_rated": self.use_low_rated,
        }


def choose_ridge(data: TrainingData) -> tuple[LocalRidgeTeacher, LocalRidge, CoOccurrence]:
    """Tunes the settings one after the other on validation users.

    First lambda, then whether shared authors and series count, then whether low-rated interactions
    do. Without validation users, or with more than `MAX_TUNING_ITEMS` items, default settings are
    used.

    Args:
        data: The split and catalog to fit to.

    Returns:
        The best teacher, its ridge, and the co-occurrence counts that it was fitted to.
    """
    has_features = count_shared_features(data.catalog).nnz > 0
    has_low_rated = data.train.low_rated is not None and len(data.train.low_rated.items) > 0
    feature_weight = SHARED_FEATURE_WEIGHTS[-1] if has_features else 0.0

    def fit_setting(
        regularization: float, feature_weight: float, use_low_rated: bool
    ) -> tuple[LocalRidgeTeacher, LocalRidge, CoOccurrence]:
        pairs = count_pairs(data, feature_weight, use_low_rated)
        ridge = fit_local_ridge(
            pairs,
            num_neighbours=min(NUM_NEIGHBOURS, max(data.train.num_items - 1, 1)),
            regularization=regularization,
            progress=data.progress,
        )
        teacher = LocalRidgeTeacher.from_ridge(
            ridge, data, regularization, feature_weight, use_low_rated
        )
        return teacher, ridge, pairs

    if data.train.num_items > MAX_TUNING_ITEMS or not len(data.validation_metric):
        return fit_setting(DEFAULT_REGULARIZATION, feature_weight, has_low_rated)
    best = fit_setting(REGULARIZATIONS[0], feature_weight, False)
    best_ndcg = data.validation_metric(best[0].numpy_scores)

    def try_setting(regularization: float, feature_weight: float, use_low_rated: bool) -> None:
        nonlocal best, best_ndcg
        result = fit_setting(regularization, feature_weight, use_low_rated)
        ndcg = data.validation_metric(result[0].numpy_scores)
        if ndcg > best_ndcg:
            best, best_ndcg = result, ndcg

    for regularization in REGULARIZATIONS[1:]:
        try_setting(regularization, feature_weight, False)
    if has_features:
        try_setting(best[0].regularization, 0.0, False)
    if has_low_rated:
        try_setting(best[0].regularization, best[0].shared_feature_weight, True)
    return best


def count_pairs(
    data: TrainingData, shared_feature_weight: float, use_low_rated: bool
) -> CoOccurrence:
    """Counts the co-occurrences that a ridge with these settings is fitted to."""
    train = data.train
    pairs = count_co_occurrences(
        train,
        train.num_items,
        low_rated=train.low_rated if use_low_rated else None,
        progress=data.progress,
    )
    return add_shared_features(pairs, data.catalog, shared_feature_weight)

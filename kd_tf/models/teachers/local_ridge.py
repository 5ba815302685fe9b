"""The teacher for large catalogues: a sparse ridge regression for every book."""

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
from kd_tf.models.closed_form.local_ridge import LocalRidge, fit_local_ridge
from kd_tf.models.sparse_item_item import SparseItemItemModel
from kd_tf.models.training_data import TrainingData

NUM_NEIGHBOURS = 60
REGULARIZATIONS = (10.0, 30.0, 100.0)
SHARED_FEATURE_WEIGHTS = (0.0, 3.0)
DEFAULT_REGULARIZATION = 30.0
MAX_TUNING_ITEMS = 50_000
"""Books beyond which settings are not tried: one fit takes minutes there."""

PRIOR_STRENGTH = 1e-3
"""Of the most read book: far below what any neighbour adds, so that it only orders the rest."""


@keras.saving.register_keras_serializable(package="kd_tf")
class LocalRidgeTeacher(SparseItemItemModel):
    """See `kd_tf.models.closed_form.local_ridge`: exact, sparse, and linear in the catalogue.

    Args:
        regularization: Lambda, in readers.
        shared_features: How many readers one common author or series is worth.
        also_read: Whether what readers did not like counts too (`Split.also_read`).
    """

    def __init__(
        self,
        *,
        regularization: float = 30.0,
        shared_feature_weight: float = 0.0,
        use_low_rated: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.regularization, self.shared_feature_weight = regularization, shared_feature_weight
        self.use_low_rated = use_low_rated

    @classmethod
    def from_training_data(cls, data: TrainingData) -> LocalRidgeTeacher:
        """Counts who read what together and solves every book.

        The ridge, whether books of one author or series lend each other readers, and whether
        books that were read but not liked count, are chosen by the validation readers.
        """
        return choose_ridge(data)[0]

    @classmethod
    def from_ridge(
        cls,
        ridge: LocalRidge,
        data: TrainingData,
        regularization: float,
        shared_feature_weight: float,
        use_low_rated: bool,
    ) -> LocalRidgeTeacher:
        """The model of one solved ridge."""
        matrix = ridge.to_matrix()
        model = cls(
            num_items=data.split.num_items,
            max_length=data.max_length,
            num_entries=matrix.nnz,
            regularization=regularization,
            shared_feature_weight=shared_feature_weight,
            use_low_rated=use_low_rated,
        )
        model.create_weights()
        model.assign(matrix)
        model.prior.assign(compute_popularity_prior(data.split.popularity(), PRIOR_STRENGTH))
        return model

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "regularization": self.regularization,
            "shared_feature_weight": self.shared_feature_weight,
            "use_low_rated": self.use_low_rated,
        }


def choose_ridge(data: TrainingData) -> tuple[LocalRidgeTeacher, LocalRidge, CoOccurrence]:
    """The ridge that ranks best for the validation readers, and the counts that it came from.

    One setting after the other: lambda, then whether authors and series count, then whether
    what readers did not like does.
    """
    has_features = count_shared_features(data.catalog).nnz > 0
    also = data.split.low_rated is not None and len(data.split.low_rated.items) > 0
    strength = SHARED_FEATURE_WEIGHTS[-1] if has_features else 0.0

    def solve(
        regularization: float, strength: float, also_read: bool
    ) -> tuple[LocalRidgeTeacher, LocalRidge, CoOccurrence]:
        pairs = count_pairs(data, strength, also_read)
        ridge = fit_local_ridge(
            pairs,
            num_neighbours=min(NUM_NEIGHBOURS, max(data.split.num_items - 1, 1)),
            regularization=regularization,
            progress=data.progress,
        )
        return (
            LocalRidgeTeacher.from_ridge(ridge, data, regularization, strength, also_read),
            ridge,
            pairs,
        )

    if data.split.num_items > MAX_TUNING_ITEMS or not len(data.validation_metric):
        return solve(DEFAULT_REGULARIZATION, strength, also)
    chosen = solve(REGULARIZATIONS[0], strength, False)
    best = data.validation_metric(chosen[0].numpy_scores)

    def consider(regularization: float, strength: float, also_read: bool) -> None:
        nonlocal best, chosen
        found = solve(regularization, strength, also_read)
        reached = data.validation_metric(found[0].numpy_scores)
        if reached > best:
            best, chosen = reached, found

    for regularization in REGULARIZATIONS[1:]:
        consider(regularization, strength, False)
    if has_features:
        consider(chosen[0].regularization, 0.0, False)
    if also:
        consider(chosen[0].regularization, chosen[0].shared_feature_weight, True)
    return chosen


def count_pairs(
    data: TrainingData, shared_feature_weight: float, use_low_rated: bool
) -> CoOccurrence:
    """What a ridge of these settings is solved from."""
    split = data.split
    pairs = count_co_occurrences(
        split.train,
        split.num_items,
        low_rated=split.low_rated if use_low_rated else None,
        progress=data.progress,
    )
    return add_shared_features(pairs, data.catalog, shared_feature_weight)

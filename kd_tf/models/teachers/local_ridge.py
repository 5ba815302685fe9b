"""The teacher for large catalogues: a sparse ridge regression for every book."""

from __future__ import annotations

from typing import Any

from kd_tf.keras import keras
from kd_tf.models.additive import popularity_prior
from kd_tf.models.closed_form.co_reading import CoReading, co_reading, with_shared_features
from kd_tf.models.closed_form.local_ridge import LocalRidge, local_ridge
from kd_tf.models.learning_data import LearningData
from kd_tf.models.sparse_items import SparseItemModel

NEIGHBOURS = 60
REGULARIZATIONS = (10.0, 30.0, 100.0)
SHARED_FEATURES = (0.0, 3.0)
DEFAULT_REGULARIZATION = 30.0
CHOOSES_UP_TO = 50_000
"""Books beyond which settings are not tried: one fit takes minutes there."""

PRIOR = 1e-3
"""Of the most read book: far below what any neighbour adds, so that it only orders the rest."""


@keras.saving.register_keras_serializable(package="kd_tf")
class LocalRidgeTeacher(SparseItemModel):
    """See `kd_tf.models.closed_form.local_ridge`: exact, sparse, and linear in the catalogue.

    Args:
        regularization: Lambda, in readers.
        shared_features: How many readers one common author or series is worth.
    """

    def __init__(
        self, *, regularization: float = 30.0, shared_features: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.regularization, self.shared_features = regularization, shared_features

    @classmethod
    def solved(cls, data: LearningData) -> LocalRidgeTeacher:
        """Counts who read what together and solves every book.

        The ridge, and whether books of one author or series lend each other readers, are chosen
        by the validation readers.
        """
        return choose_ridge(data)[0]

    @classmethod
    def of(
        cls, ridge: LocalRidge, data: LearningData, regularization: float, shared_features: float
    ) -> LocalRidgeTeacher:
        """The model of one solved ridge."""
        matrix = ridge.matrix()
        model = cls(
            books=data.split.books,
            history_length=data.history_length,
            entries=matrix.nnz,
            regularization=regularization,
            shared_features=shared_features,
        )
        model.create_weights()
        model.assign(matrix)
        model.prior.assign(popularity_prior(data.split.popularity(), PRIOR))
        return model

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "regularization": self.regularization,
            "shared_features": self.shared_features,
        }


def choose_ridge(data: LearningData) -> tuple[LocalRidgeTeacher, LocalRidge, CoReading]:
    """The ridge that ranks best for the validation readers, and the counts that it came from."""
    books, progress = data.split.books, data.progress
    plain = co_reading(data.split.train, books, progress=progress)
    shared = {
        strength: with_shared_features(plain, data.catalog, strength)
        for strength in SHARED_FEATURES
    }
    if shared[SHARED_FEATURES[-1]] is plain:  # there are no authors
        shared = {0.0: plain}
    neighbours = min(NEIGHBOURS, max(books - 1, 1))

    def solve(
        strength: float, regularization: float
    ) -> tuple[LocalRidgeTeacher, LocalRidge, CoReading]:
        pairs = shared[strength]
        ridge = local_ridge(
            pairs, neighbours=neighbours, regularization=regularization, progress=progress
        )
        return LocalRidgeTeacher.of(ridge, data, regularization, strength), ridge, pairs

    if books > CHOOSES_UP_TO or not len(data.choose):
        return solve(max(shared), DEFAULT_REGULARIZATION)
    best = -1.0
    for strength in shared:
        for regularization in REGULARIZATIONS:
            found = solve(strength, regularization)
            reached = data.choose(found[0].numpy_scores)
            if reached > best:
                best, chosen = reached, found
    return chosen


def solve_again(
    data: LearningData, regularization: float, shared_features: float
) -> tuple[LocalRidge, CoReading]:
    """The ridge of settings that were chosen before, and its counts."""
    pairs = co_reading(data.split.train, data.split.books, progress=data.progress)
    pairs = with_shared_features(pairs, data.catalog, shared_features)
    neighbours = min(NEIGHBOURS, max(data.split.books - 1, 1))
    ridge = local_ridge(
        pairs, neighbours=neighbours, regularization=regularization, progress=data.progress
    )
    return ridge, pairs

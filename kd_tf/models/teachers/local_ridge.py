"""The teacher for large catalogues: a sparse ridge regression for every book."""

from __future__ import annotations

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
    """See `kd_tf.models.closed_form.local_ridge`: exact, sparse, and linear in the catalogue."""

    @classmethod
    def solved(cls, data: LearningData) -> LocalRidgeTeacher:
        """Counts who read what together and solves every book.

        The ridge, and whether books of one author or series lend each other readers, are chosen
        by the validation readers.
        """
        ridge, _, _ = choose_ridge(data)
        return cls.of(ridge, data)

    @classmethod
    def of(cls, ridge: LocalRidge, data: LearningData) -> LocalRidgeTeacher:
        """The model of one solved ridge."""
        matrix = ridge.matrix()
        model = cls(books=data.split.books, history_length=data.history_length, entries=matrix.nnz)
        model.create_weights()
        model.assign(matrix)
        model.prior.assign(popularity_prior(data.split.popularity(), PRIOR))
        return model


def choose_ridge(data: LearningData) -> tuple[LocalRidge, CoReading, float]:
    """The ridge that ranks best for the validation readers, its counts and its lambda."""
    books, progress = data.split.books, data.progress
    plain = co_reading(data.split.train, books, progress=progress)
    shared = {
        strength: with_shared_features(plain, data.catalog, strength)
        for strength in SHARED_FEATURES
    }
    if shared[SHARED_FEATURES[-1]] is plain:  # there are no authors
        shared = {0.0: plain}
    neighbours = min(NEIGHBOURS, max(books - 1, 1))

    def solve(pairs: CoReading, regularization: float) -> LocalRidge:
        return local_ridge(
            pairs, neighbours=neighbours, regularization=regularization, progress=progress
        )

    if books > CHOOSES_UP_TO or not len(data.choose):
        pairs = shared[max(shared)]
        return solve(pairs, DEFAULT_REGULARIZATION), pairs, DEFAULT_REGULARIZATION
    best = -1.0
    for pairs in shared.values():
        for regularization in REGULARIZATIONS:
            ridge = solve(pairs, regularization)
            reached = data.choose(LocalRidgeTeacher.of(ridge, data).numpy_scores)
            if reached > best:
                best, chosen = reached, (ridge, pairs, regularization)
    return chosen

"""A linear autoencoder with a zero diagonal, solved in closed form: EASE with more evidence."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.backend import keras, tf
from kd_tf.baselines import ease
from kd_tf.data.histories import Histories
from kd_tf.errors import UserError
from kd_tf.models.additive import AdditiveModel, compute_popularity_prior
from kd_tf.models.closed_form.co_occurrence import USER_WEIGHT_POWER, count_shared_features
from kd_tf.models.training_data import TrainingData

REGULARIZATIONS = (20.0, 50.0, 150.0)
SHARED_FEATURE_WEIGHTS = (0.0, 3.0)
MAX_TUNING_ITEMS = 12_000
"""Books beyond which the most read ones choose: a fit takes as long as their number cubed."""

PRIOR_STRENGTH = 1e-3


@keras.saving.register_keras_serializable(package="kd_tf")
class LinearAutoencoderTeacher(AdditiveModel):
    """Every book is predicted from all others by one dense matrix.

    EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019) on histories weighted
    by their length to the -1/4, with authors and series as side information (Jeunen et al., 2020).
    """

    def __init__(self, **kwargs) -> None:  # type: ignore[no-untyped-def]
        super().__init__(**kwargs)
        self.item_weights = self.add_weight(
            name="weights_of_pairs",
            shape=(self.num_items + 1, self.num_items + 1),
            initializer="zeros",
        )

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.item_weights, ids)

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        return np.asarray(read @ self.item_weights.numpy() + self.prior.numpy(), np.float32)

    @classmethod
    def from_training_data(cls, data: TrainingData) -> LinearAutoencoderTeacher:
        """Solves it, with lambda and the side information chosen by the validation readers.

        Raises:
            UserError: The matrix would not fit in memory; the message names the form that does.
        """
        items = data.split.num_items
        needed = 4 * items**2
        if needed > ease.MAX_BYTES:
            raise UserError(
                f"a linear autoencoder of {items:,} books needs a dense matrix of "
                f"{needed / 2**30:.1f} GiB, and three of them while it is solved; the limit is "
                f"{ease.MAX_BYTES / 2**30:.1f} GiB",
                hint="Take the teacher local-ridge: the same model, sparse.",
            )
        features = count_shared_features(data.catalog)
        strengths = SHARED_FEATURE_WEIGHTS if features.nnz else SHARED_FEATURE_WEIGHTS[:1]
        settings = [(one, strength) for one in REGULARIZATIONS for strength in strengths]
        chooses = items <= MAX_TUNING_ITEMS and len(data.validation_metric) > 0
        with data.progress.task("linear autoencoder", len(settings) * chooses + 1) as advance:
            gram, scale = _compute_gram(data.split.train, items)
            model = cls(num_items=items, max_length=data.max_length)
            model.create_weights()

            def take(setting: tuple[float, float]) -> None:
                regularization, strength = setting
                # One matrix less where nothing is chosen and the Gram matrix is needed once.
                system = gram.copy(order="F") if chooses else gram
                if strength:
                    _add_features(system, features, strength * scale)
                weights = np.zeros((items + 1, items + 1), np.float32)
                weights[1:, 1:] = ease.solve_weights(system, regularization * scale)
                model.item_weights.assign(weights)
                advance()

            def reached(setting: tuple[float, float]) -> float:
                take(setting)
                return data.validation_metric(model.numpy_scores)

            take(max(settings, key=reached) if chooses else (50.0, strengths[-1]))
        model.prior.assign(compute_popularity_prior(data.split.popularity(), PRIOR_STRENGTH))
        return model


def _compute_gram(histories: Histories, num_items: int) -> tuple[np.ndarray, float]:
    matrix = histories.to_csr_matrix(num_items)
    length = np.maximum(np.diff(matrix.indptr), 1).astype(np.float32)
    weighted = sparse.csr_array(sparse.diags_array(length**USER_WEIGHT_POWER) @ matrix)
    scale = float(np.sum(weighted.data.astype(np.float64) ** 2) / max(float(matrix.sum()), 1.0))
    return ease.compute_gram(weighted), scale


def _add_features(gram: np.ndarray, features: sparse.csr_array, weight: float) -> None:
    shared = features[1:, 1:].tocoo()
    gram[shared.row, shared.col] += np.float32(weight) * shared.data

"""Implicit alternating least squares as a teacher."""

from __future__ import annotations

from kd_tf.evaluate.baselines import ials
from kd_tf.keras import keras
from kd_tf.models.additive import popularity_prior
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.learning_data import LearningData

PRIOR = 1e-4


@keras.saving.register_keras_serializable(package="kd_tf")
class ImplicitALSTeacher(FoldInModel):
    """Books' factors learnt by the library implicit; a reader's from the history, exactly."""

    @classmethod
    def solved(
        cls,
        data: LearningData,
        *,
        dimensions: int = ials.FACTORS,
        setting: tuple[float, float] | None = None,
    ) -> ImplicitALSTeacher:
        """Learns the factors; alpha and regularisation are chosen by the validation readers."""
        found = ials.fit(
            data.split,
            factors=dimensions,
            setting=setting,
            choose=data.choose,
            progress=data.progress,
        )
        model = cls(
            books=data.split.books,
            history_length=data.history_length,
            dimensions=found.factors.shape[1],
            alpha=found.alpha,
            regularization=found.regularization,
        )
        model.create_weights()
        model.assign(found.factors)
        model.prior.assign(popularity_prior(data.split.popularity(), PRIOR))
        return model

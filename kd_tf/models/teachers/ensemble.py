"""Several teachers as one, weighed by the readers who choose."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.models.weighted_ensemble import WeightedEnsemble


@keras.saving.register_keras_serializable(package="kd_tf")
class EnsembleTeacher(WeightedEnsemble):
    """Teachers of different kinds know different things; their sum ranks better than the best.

    A member's weight may grow or fall with the length of the history: how far it can be trusted
    differs from reader to reader. See `BlendModel.weighed`.
    """

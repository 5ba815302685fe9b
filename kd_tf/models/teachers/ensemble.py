"""An ensemble of teachers, weighted on validation users."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.models.weighted_ensemble import WeightedEnsemble


@keras.saving.register_keras_serializable(package="kd_tf")
class EnsembleTeacher(WeightedEnsemble):
    """Sums the scores of several teachers; the sum often ranks better than the best member.

    The weight of a member may grow or shrink with the length of the history, as the members'
    accuracy differs between short and long histories. See `WeightedEnsemble.from_members`.

    Args:
        **kwargs: As for `WeightedEnsemble`.
    """

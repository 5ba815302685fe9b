"""Implicit alternating least squares as a teacher."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.models.fold_in import FoldInModel


@keras.saving.register_keras_serializable(package="kd_tf")
class ImplicitALSTeacher(FoldInModel):
    """Books' factors learnt by the library implicit; a reader's from the history, exactly."""

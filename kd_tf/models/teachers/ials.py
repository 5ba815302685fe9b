"""Implicit alternating least squares (iALS) as a teacher."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.models.fold_in import FoldInModel


@keras.saving.register_keras_serializable(package="kd_tf")
class ImplicitALSTeacher(FoldInModel):
    """Matrix factorization with the item factors trained by the library implicit.

    The user factors are solved exactly from the history; see `FoldInModel`.
    """

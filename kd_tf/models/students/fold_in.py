"""Matrix factorization as a student: the user factors are solved on the device."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.models.fold_in import FoldInModel


@keras.saving.register_keras_serializable(package="kd_tf")
class FoldInStudent(FoldInModel):
    """Student with a few factors per item; see `FoldInModel`.

    Its factors can be stored in int4 without a loss of accuracy, because the user factors are
    solved with the rounded item factors.
    """

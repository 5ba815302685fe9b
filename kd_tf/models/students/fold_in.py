"""Matrix factorisation as a student: a few factors a book, the reader's solved on the phone."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.models.fold_in import FoldInModel


@keras.saving.register_keras_serializable(package="kd_tf")
class FoldInStudent(FoldInModel):
    """See `FoldInModel`. Its factors lose nothing in int4: the solved reader makes up for it."""

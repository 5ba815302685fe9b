"""Hard parameters: the teacher's vectors of books themselves, as many dimensions as fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import get_item_embeddings
from kd_tf.models.base import HistoryModel


@keras.saving.register_keras_serializable(package="kd_tf")
class HardParameter(DistillationLoss):
    """The teacher's vectors of books: the student begins with them and stays near.

    ``strength * mean over the target and history books b of the reader of mean over dimensions of
    (v_b - p_b)^2`` with the student's vector v_b, and p_b the teacher's where both have the same
    width. A narrower student gets the leading left singular vectors times singular values of the
    teacher's table, which keep as much of its dot products as d dimensions can (Eckart & Young,
    "The Approximation of One Matrix by Another of Lower Rank", 1936); a wider one zeros behind.

    `prepare` overwrites the student's vectors, as Sanh et al. begin "DistilBERT, a distilled
    version of BERT" (2019) with layers of the teacher; the pull towards the beginning is that of
    Li, Grandvalet & Davoine, "Explicit Inductive Bias for Transfer Learning with Convolutional
    Networks" (L2-SP, ICML 2018), on the vectors that a batch touches.

    Args:
        strength: Of the pull, 0 or more; at 0 the student only begins there.
    """

    def __init__(self, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not strength >= 0:
            raise ValueError(f"strength must be 0 or more, not {strength}")
        self.strength = strength

    def build(self, setup: DistillationSetup) -> None:
        teacher = get_item_embeddings(setup.teacher, "HardParameter").numpy()
        variable = _find_item_embedding_variable(setup.student)
        projected = project_embeddings(teacher, int(variable.shape[1]))
        # Row 0 is padding and remains what the student made it.
        projected[0] = variable.numpy()[0]
        variable.assign(projected)
        self.projected_embeddings = tf.constant(projected)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        student = batch.student
        # What is excluded and not the history itself, which may be the number of a reader.
        read = student.seen_items(batch.history)
        ids = tf.concat([student.mask_unknown_ids(batch.labels["targets"]), read], axis=1)
        there = tf.cast(ids > 0, tf.float32)
        apart = tf.gather(student.item_embeddings(), ids) - tf.gather(
            self.projected_embeddings, ids
        )
        error = there * tf.reduce_mean(tf.square(apart), axis=2)
        return self.strength * tf.math.divide_no_nan(
            tf.reduce_sum(error, axis=1), tf.reduce_sum(there, axis=1)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength}


def project_embeddings(embeddings: np.ndarray, embedding_dim: int) -> np.ndarray:
    """A table [V + 1, d'] in another width: float32 [V + 1, dimensions], row 0 is zero."""
    rows = embeddings[1:].astype(np.float64)
    if rows.shape[1] > embedding_dim:
        # Through the small matrix of the columns, whatever V is.
        values, directions = np.linalg.eigh(rows.T @ rows)
        rows = rows @ directions[:, np.argsort(-values)[:embedding_dim]]
    missing = embedding_dim - rows.shape[1]
    return np.pad(rows, [(1, 0), (0, missing)]).astype(np.float32)


def _find_item_embedding_variable(student: HistoryModel) -> tf.Variable:
    """The student's weights that its vectors of books are.

    Raises:
        ValueError: It has no vectors of books, or they are computed from its weights.
    """
    table = get_item_embeddings(student, "HardParameter").numpy()
    for weight in student.trainable_weights:
        if tuple(weight.shape) == table.shape and np.array_equal(weight.numpy(), table):
            return weight
    raise ValueError(
        f"HardParameter needs vectors of books that are weights: a {type(student).__name__} "
        "computes them"
    )

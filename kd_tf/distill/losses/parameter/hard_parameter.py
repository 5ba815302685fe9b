"""Hard parameter transfer: the teacher's item embeddings, projected to the student's dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import get_item_embeddings
from kd_tf.models.base import HistoryModel


@keras.saving.register_keras_serializable(package="kd_tf")
class HardParameter(DistillationLoss):
    """Initializes the student's item embeddings with the teacher's and keeps them close.

    ``strength * mean over the user's target and history items b of mean over dimensions of
    (v_b - p_b)^2`` with the student's embedding v_b, and p_b the teacher's where both have the
    same dimension. A student of lower dimension gets the leading left singular vectors times
    singular values of the teacher's table, which preserve as much of its dot products as d
    dimensions can (Eckart & Young, "The Approximation of One Matrix by Another of Lower Rank",
    1936); one of higher dimension is padded with zeros.

    `build` overwrites the student's embeddings, as Sanh et al. initialize "DistilBERT, a
    distilled version of BERT" (2019) with layers of the teacher; the pull towards the
    initialization is that of Li, Grandvalet & Davoine, "Explicit Inductive Bias for Transfer
    Learning with Convolutional Networks" (L2-SP, ICML 2018), on the embeddings of a batch.

    Args:
        strength: Weight of the pull, 0 or more; at 0 the teacher only initializes the student.
    """

    def __init__(self, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not strength >= 0:
            raise ValueError(f"strength must be 0 or more, not {strength}")
        self.strength = strength

    def build(self, setup: DistillationSetup) -> None:
        teacher = get_item_embeddings(setup.teacher, "HardParameter").numpy()
        variable = _find_item_embedding_variable(setup.student)
        projected_embeddings = project_embeddings(teacher, int(variable.shape[1]))
        # Row 0 is padding and keeps the student's values.
        projected_embeddings[0] = variable.numpy()[0]
        variable.assign(projected_embeddings)
        self.projected_embeddings = tf.constant(projected_embeddings)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        student = batch.student
        # The seen items and not the history itself, which may be a user id.
        seen_ids = student.seen_items(batch.history)
        ids = tf.concat([student.mask_unknown_ids(batch.labels["targets"]), seen_ids], axis=1)
        mask = tf.cast(ids > 0, tf.float32)
        difference = tf.gather(student.item_embeddings(), ids) - tf.gather(
            self.projected_embeddings, ids
        )
        error = mask * tf.reduce_mean(tf.square(difference), axis=2)
        return self.strength * tf.math.divide_no_nan(
            tf.reduce_sum(error, axis=1), tf.reduce_sum(mask, axis=1)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength}


def project_embeddings(embeddings: np.ndarray, embedding_dim: int) -> np.ndarray:
    """Projects embeddings to another dimension by their leading principal directions.

    Args:
        embeddings: float [V + 1, d'], row 0 is padding.
        embedding_dim: The new dimension; if it is larger than d', zeros are appended.

    Returns:
        float32 [V + 1, embedding_dim], row 0 is zero.

    Example:
        >>> project_embeddings(np.float32([[9, 9], [3, 0], [0, 2]]), 3).tolist()
        [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """
    rows = embeddings[1:].astype(np.float64)
    if rows.shape[1] > embedding_dim:
        # By way of the small d' x d' matrix, whose cost does not grow with V.
        values, directions = np.linalg.eigh(rows.T @ rows)
        rows = rows @ directions[:, np.argsort(-values)[:embedding_dim]]
    num_missing = embedding_dim - rows.shape[1]
    return np.pad(rows, [(1, 0), (0, num_missing)]).astype(np.float32)


def _find_item_embedding_variable(student: HistoryModel) -> tf.Variable:
    """Returns the student's weight that holds its item embeddings.

    Raises:
        ValueError: The student has no item embeddings, or computes them from other weights.
    """
    embeddings = get_item_embeddings(student, "HardParameter").numpy()
    for weight in student.trainable_weights:
        if tuple(weight.shape) == embeddings.shape and np.array_equal(weight.numpy(), embeddings):
            return weight
    raise ValueError(
        "HardParameter needs item embeddings that are a weight of the student: "
        f"a {type(student).__name__} computes them"
    )

"""Relational angles: the triangles that readers or books of a batch form."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.embeddings import normalize_to_unit_length
from kd_tf.distill.losses.relation.relational_base import (
    USERS,
    RelationalLoss,
    gather_paired_embeddings,
    huber,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class RelationalAngles(RelationalLoss):
    """The teacher's angles between any three readers of a batch, or any three target books.

    ``mean over triplets (i, j, k) of different ones of huber(cos_s(i, j, k) - cos_t(i, j, k))``
    where cos(i, j, k) is the cosine of the angle at j between the directions to i and to k, and
    huber is ``x^2 / 2`` up to 1 and ``|x| - 1/2`` beyond. Of readers, the angles at a reader are
    the loss of the reader's example; of books every example has the mean.

    Park, Kim, Lu & Cho, "Relational Knowledge Distillation" (RKD-A, CVPR 2019). Time and memory
    grow with the third power of how many are compared, so a part of the batch is (with readers
    the first of it, which batches that are shuffled draw at random). Between equal vectors there
    is no direction, and the cosine is 0.

    Args:
        of: ``"readers"`` or ``"books"``.
        most: At most so many of them are compared, at least 3.
    """

    min_entities = 3

    def __init__(self, entities: str = USERS, max_entities: int = 64, **kwargs: Any) -> None:
        super().__init__(entities, max_entities, **kwargs)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        group = gather_paired_embeddings(
            batch, self.entities, self.teacher_item_embeddings, self.max_entities
        )
        different = 1.0 - tf.eye(tf.shape(group.mask)[0])
        sides = different * group.mask[:, tf.newaxis] * group.mask
        triplets = sides[:, :, tf.newaxis] * sides[:, tf.newaxis] * different
        error = huber(_compute_angle_cosines(group.student) - _compute_angle_cosines(group.teacher))
        rows = tf.reduce_sum(triplets * error, axis=[1, 2])
        return group.to_example_losses(tf.math.divide_no_nan(rows, tf.reduce_sum(triplets)))


def _compute_angle_cosines(vectors: tf.Tensor) -> tf.Tensor:
    """float32 [N, N, N]: at [j, i, k] the cosine of the angle at j between i and k."""
    directions = normalize_to_unit_length(vectors - vectors[:, tf.newaxis])
    return tf.matmul(directions, directions, transpose_b=True)

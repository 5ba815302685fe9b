"""Relational angles: the triangles that the users or items of a batch form."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.embeddings import normalize_to_unit_length
from kd_tf.distill.losses.relation.relational_base import (
    USERS,
    RelationalLoss,
    compute_huber_loss,
    gather_paired_embeddings,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class RelationalAngles(RelationalLoss):
    """Matches the teacher's angles between any three users, or any three target items, of a batch.

    ``mean over triplets (i, j, k) of distinct entities of huber(cos_s(i, j, k) - cos_t(i, j, k))``
    where cos(i, j, k) is the cosine of the angle at j between the directions to i and to k, and
    huber is ``x^2 / 2`` up to 1 and ``|x| - 1/2`` beyond. For users, the angles at a user are the
    loss of the user's example; for items every example has the mean.

    Park, Kim, Lu & Cho, "Relational Knowledge Distillation" (RKD-A, CVPR 2019). Time and memory
    grow with the cube of the number of compared entities, so only a part of the batch is compared
    (for users the first of the batch, which are random in shuffled batches). Between equal
    vectors there is no direction, and the cosine is 0.

    Args:
        entities: ``"users"`` or ``"items"``.
        max_entities: The maximum number of compared users or items, at least 3.
    """

    min_entities = 3

    def __init__(self, entities: str = USERS, max_entities: int = 64, **kwargs: Any) -> None:
        super().__init__(entities, max_entities, **kwargs)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        embeddings = gather_paired_embeddings(
            batch, self.entities, self.teacher_item_embeddings, self.max_entities
        )
        is_other = 1.0 - tf.eye(tf.shape(embeddings.mask)[0])
        sides = is_other * embeddings.mask[:, tf.newaxis] * embeddings.mask
        triplets = sides[:, :, tf.newaxis] * sides[:, tf.newaxis] * is_other
        error = compute_huber_loss(
            _compute_angle_cosines(embeddings.student) - _compute_angle_cosines(embeddings.teacher)
        )
        entity_losses = tf.reduce_sum(triplets * error, axis=[1, 2])
        return embeddings.to_example_losses(
            tf.math.divide_no_nan(entity_losses, tf.reduce_sum(triplets))
        )


def _compute_angle_cosines(vectors: tf.Tensor) -> tf.Tensor:
    """Computes float32 [N, N, N]: at [j, i, k] the cosine of the angle at j between i and k."""
    directions = normalize_to_unit_length(vectors - vectors[:, tf.newaxis])
    return tf.matmul(directions, directions, transpose_b=True)

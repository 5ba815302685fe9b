"""Relational distances: the distances between the users or items of a batch."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.embeddings import MIN_SQUARED_NORM
from kd_tf.distill.losses.relation.relational_base import (
    PairedEmbeddings,
    RelationalLoss,
    compute_huber_loss,
    gather_paired_embeddings,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class RelationalDistances(RelationalLoss):
    """Matches the teacher's distances between the users of a batch, or between its target items.

    ``mean over pairs (i, j), i != j, of huber(|s_i - s_j| / m_s - |t_i - t_j| / m_t)`` with m the
    mean distance of all pairs, so that neither scale nor dimension matters; huber is ``x^2 / 2``
    up to 1 and ``|x| - 1/2`` beyond. For users, the pairs of a user are the loss of the user's
    example; for items every example has the mean.

    Park, Kim, Lu & Cho, "Relational Knowledge Distillation" (RKD-D, CVPR 2019). Where all
    vectors are equal all distances are 0.

    Args:
        entities: ``"users"`` or ``"items"``.
        max_entities: The maximum number of compared users or items, at least 2.

    Example:
        >>> RelationalDistances("users").teacher_outputs
        ('teacher_user_embeddings',)
        >>> RelationalDistances("items", max_entities=100).teacher_outputs
        ()
    """

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        embeddings = gather_paired_embeddings(
            batch, self.entities, self.teacher_item_embeddings, self.max_entities
        )
        pair_mask = _compute_pair_mask(embeddings)
        error = compute_huber_loss(
            _compute_distances(embeddings.student, pair_mask)
            - _compute_distances(embeddings.teacher, pair_mask)
        )
        entity_losses = tf.reduce_sum(pair_mask * error, axis=1)
        return embeddings.to_example_losses(
            tf.math.divide_no_nan(entity_losses, tf.reduce_sum(pair_mask))
        )


def _compute_pair_mask(embeddings: PairedEmbeddings) -> tf.Tensor:
    """Computes float32 [N, N]: 1 for pairs of two different entities, neither of them padding."""
    both = embeddings.mask[:, tf.newaxis] * embeddings.mask
    return tf.linalg.set_diag(both, tf.zeros_like(embeddings.mask))


def _compute_distances(vectors: tf.Tensor, pair_mask: tf.Tensor) -> tf.Tensor:
    """Computes distances [N, N] of mean 1 over the pairs of the mask; 0 for all other pairs."""
    squared_norm = tf.reduce_sum(tf.square(vectors), axis=1)
    inner = tf.matmul(vectors, vectors, transpose_b=True)
    squared_distance = squared_norm[:, tf.newaxis] + squared_norm - 2 * inner
    # Two `where`, because the gradient of a square root is infinite at 0.
    is_apart = (pair_mask > 0) & (squared_distance > MIN_SQUARED_NORM)
    distance = tf.where(is_apart, tf.sqrt(tf.where(is_apart, squared_distance, 1.0)), 0.0)
    mean = tf.math.divide_no_nan(tf.reduce_sum(distance), tf.reduce_sum(pair_mask))
    return tf.math.divide_no_nan(distance, mean)

"""Relational distances: how far apart the readers or books of a batch are."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.embeddings import MIN_SQUARED_NORM
from kd_tf.distill.losses.relation.relational_base import (
    PairedEmbeddings,
    RelationalLoss,
    gather_paired_embeddings,
    huber,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class RelationalDistances(RelationalLoss):
    """The teacher's distances between the readers of a batch, or between its target books.

    ``mean over pairs (i, j), i != j, of huber(|s_i - s_j| / m_s - |t_i - t_j| / m_t)`` with m the
    mean of the distances of all pairs, so that neither scale nor width matters; huber is
    ``x^2 / 2`` up to 1 and ``|x| - 1/2`` beyond. Of readers, the pairs of a reader are the loss
    of the reader's example; of books every example has the mean.

    Park, Kim, Lu & Cho, "Relational Knowledge Distillation" (RKD-D, CVPR 2019). Where all
    vectors are equal all distances are 0.

    Args:
        of: ``"readers"`` or ``"books"``.
        most: At most so many of them are compared, at least 2.
    """

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        group = gather_paired_embeddings(
            batch, self.entities, self.teacher_item_embeddings, self.max_entities
        )
        pairs = _compute_pair_mask(group)
        error = huber(
            _compute_distances(group.student, pairs) - _compute_distances(group.teacher, pairs)
        )
        rows = tf.reduce_sum(pairs * error, axis=1)
        return group.to_example_losses(tf.math.divide_no_nan(rows, tf.reduce_sum(pairs)))


def _compute_pair_mask(group: PairedEmbeddings) -> tf.Tensor:
    """float32 [N, N]: 1 for two different ones that are there."""
    both = group.mask[:, tf.newaxis] * group.mask
    return tf.linalg.set_diag(both, tf.zeros_like(group.mask))


def _compute_distances(vectors: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
    """float32 [N, N], 1 on average over the pairs; 0 where there is none."""
    length = tf.reduce_sum(tf.square(vectors), axis=1)
    inner = tf.matmul(vectors, vectors, transpose_b=True)
    square = length[:, tf.newaxis] + length - 2 * inner
    # Two `where`, because the slope of a square root at 0 is infinite.
    apart = (pairs > 0) & (square > MIN_SQUARED_NORM)
    distance = tf.where(apart, tf.sqrt(tf.where(apart, square, 1.0)), 0.0)
    mean = tf.math.divide_no_nan(tf.reduce_sum(distance), tf.reduce_sum(pairs))
    return tf.math.divide_no_nan(distance, mean)

"""Pooling of the embeddings of a history into one vector."""

from __future__ import annotations

from kd_tf.backend import tf


def pool_weighted_rows(rows: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Pools rows to their weighted sum divided by the square root of the sum of weights.

    This lies between a mean and a sum: a mean loses the length of the history, and with a sum users
    with long histories dominate. It is one matrix product, which an integer model rounds once; a
    product and a sum would round for every item.

    Args:
        rows: float32 [B, L, d].
        weights: float32 [B, L], not negative.

    Returns:
        float32 [B, d], 0 where all weights are 0.

    Example:
        >>> rows = tf.constant([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]])
        >>> pool_weighted_rows(rows, tf.ones([1, 4])).numpy()
        array([[ 8., 10.]], dtype=float32)
    """
    total = tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
    return tf.squeeze(tf.matmul(tf.expand_dims(weights / tf.sqrt(total), 1), rows), 1)


def make_item_mask(weights: tf.Tensor) -> tf.Tensor:
    """Returns a mask float32 [B, L, 1]: 1 where the weight, float32 [B, L], is above 0."""
    return tf.expand_dims(tf.cast(weights > 0, weights.dtype), -1)

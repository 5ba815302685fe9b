"""Second-order interactions of features, computed in linear time."""

from __future__ import annotations

from kd_tf.backend import tf


def sum_pair_products(embeddings: tf.Tensor) -> tf.Tensor:
    """Sums the dot products of all pairs of different features of a row.

    ``sum_{i<j} <v_i, v_j> = (|sum_i v_i|^2 - sum_i |v_i|^2) / 2``; Rendle, "Factorization
    Machines" (ICDM 2010).

    Args:
        embeddings: float32 [B, features, d].

    Returns:
        float32 [B].

    Example:
        >>> sum_pair_products(tf.constant([[[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]])).numpy().tolist()
        [17.0]
    """
    total = tf.reduce_sum(embeddings, axis=1)
    squares = tf.reduce_sum(tf.square(embeddings), axis=[1, 2])
    return 0.5 * (tf.reduce_sum(tf.square(total), axis=1) - squares)

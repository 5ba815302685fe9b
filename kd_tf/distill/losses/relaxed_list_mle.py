"""The likelihood of an order of some books, all of them before the rest."""

from __future__ import annotations

from kd_tf.backend import tf
from kd_tf.losses.softmax import MASKED_LOGIT


def compute_relaxed_list_mle(
    scores: tf.Tensor,
    ranks: tf.Tensor,
    mask: tf.Tensor,
    other_scores: tf.Tensor,
    other_mask: tf.Tensor,
) -> tf.Tensor:
    """``-log prod_k exp(s_k) / (sum_{i ranked k or later} exp(s_i) + sum_j exp(behind_j))``.

    The order among the books behind does not matter, which is what relaxes the list-wise
    likelihood of Xia et al., "Listwise Approach to Learning to Rank" (ICML 2008). Kang et al.,
    "DE-RRD: A Knowledge Distillation Framework for Recommender System" (CIKM 2020).

    Args:
        scores: float32 [B, n], of the books in order.
        ranks: int32 [B, n], their wanted order, lower is better; they need not stand in it.
        there: bool [B, n], which of them count.
        behind: float32 [B, m], scores of the books that all of them should precede.
        behind_there: bool [B, m], which of these count.

    Returns:
        float32 [B], 0 where no book counts.
    """
    # [B, n, n]: a row for each book, with itself and those that should come later. Pairs and no
    # cumulated sum of exponentials: that one underflows where scores lie far apart.
    later = mask[:, tf.newaxis] & (ranks[:, tf.newaxis] >= ranks[:, :, tf.newaxis])
    listed = tf.reduce_logsumexp(tf.where(later, scores[:, tf.newaxis], MASKED_LOGIT), axis=2)
    rest = tf.reduce_logsumexp(
        tf.where(other_mask, other_scores, MASKED_LOGIT), axis=1, keepdims=True
    )
    against = tf.reduce_logsumexp(tf.stack([listed, rest + tf.zeros_like(listed)]), axis=0)
    return tf.reduce_sum(tf.where(mask, against - scores, 0.0), axis=1)

"""The relaxed ListMLE loss: some items in a given order, all of them before the rest."""

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
    """Computes the negative log-likelihood of an order of items that precede all others.

    ``-log prod_k exp(s_k) / (sum_{i ranked k or later} exp(s_i) + sum_j exp(other_j))``. The order
    among the other items does not matter, which relaxes the list-wise likelihood of Xia et al.,
    "Listwise Approach to Learning to Rank" (ICML 2008). Kang et al., "DE-RRD: A Knowledge
    Distillation Framework for Recommender System" (CIKM 2020).

    Args:
        scores: float32 [B, n], scores of the ordered items.
        ranks: int32 [B, n], their target ranks, lower is better; they need not be sorted.
        mask: bool [B, n], which of them count.
        other_scores: float32 [B, m], scores of the items that should come after all of them.
        other_mask: bool [B, m], which of these count.

    Returns:
        float32 [B], 0 where no item counts.
    """
    # [B, n, n]: for each item, itself and the items that should come later. All pairs and not a
    # cumulative sum of exponentials, which underflows where scores are far apart.
    is_later = mask[:, tf.newaxis] & (ranks[:, tf.newaxis] >= ranks[:, :, tf.newaxis])
    later_total = tf.reduce_logsumexp(
        tf.where(is_later, scores[:, tf.newaxis], MASKED_LOGIT), axis=2
    )
    other_total = tf.reduce_logsumexp(
        tf.where(other_mask, other_scores, MASKED_LOGIT), axis=1, keepdims=True
    )
    log_partition = tf.reduce_logsumexp(
        tf.stack([later_total, other_total + tf.zeros_like(later_total)]), axis=0
    )
    return tf.reduce_sum(tf.where(mask, log_partition - scores, 0.0), axis=1)

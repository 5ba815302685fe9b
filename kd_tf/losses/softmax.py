"""Softmax loss on the ground-truth items, over the items that a user has not seen."""

from __future__ import annotations

from kd_tf.backend import tf

MASKED_LOGIT = -1e9
"""Stands for minus infinity; finite, so that 0 * MASKED_LOGIT is 0 and not NaN."""


def mask_history(logits: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
    """Masks padding and the items of the history in the logits.

    These are never recommended, so a model should not spend capacity on ranking them.

    Args:
        logits: float32 [B, V + 1].
        history: int32 [B, L], ids in 0..V.

    Returns:
        float32 [B, V + 1], `MASKED_LOGIT` at id 0 and at the ids of the history.

    Example:
        >>> from kd_tf.backend import tf
        >>> mask_history(tf.constant([[3.0, 2.0, 1.0]]), tf.constant([[1]])).numpy()
        array([[-1.e+09, -1.e+09,  1.e+00]], dtype=float32)
    """
    shape = tf.shape(history)
    rows = tf.repeat(tf.range(shape[0]), shape[1] + 1)
    ids = tf.reshape(tf.pad(history, [[0, 0], [1, 0]]), [-1])  # the padded 0 is id 0
    indices = tf.stack([rows, ids], axis=1)
    return tf.tensor_scatter_nd_update(logits, indices, tf.fill(tf.shape(ids), MASKED_LOGIT))


def compute_multinomial_loss(
    logits: tf.Tensor, targets: tf.Tensor, log_partition: tf.Tensor
) -> tf.Tensor:
    """Computes the negative mean log-likelihood of the targets under softmax(logits).

    The multinomial likelihood of Liang et al., "Variational Autoencoders for Collaborative
    Filtering" (2018), averaged over a user's targets so that all users have the same weight.

    Args:
        logits: float32 [B, V + 1], masked (`mask_history`).
        targets: int32 [B, M], padded with 0; masked ones are ignored.
        log_partition: float32 [B], the logarithm of the sum of exp over the logits.

    Returns:
        float32 [B], 0 for a row without targets.
    """
    target_logits = tf.gather(logits, targets, batch_dims=1)
    # A masked target cannot be learned, and its logit of -1e9 would dominate the batch.
    is_valid = tf.cast((targets > 0) & (target_logits > MASKED_LOGIT / 2), tf.float32)
    target_logits *= is_valid
    count = tf.reduce_sum(is_valid, axis=1)
    mean = tf.math.divide_no_nan(tf.reduce_sum(target_logits, axis=1), count)
    return tf.where(count > 0, log_partition - mean, 0.0)

"""The loss that teachers and students learn the readers' own books with."""

from __future__ import annotations

from kd_tf.backend import tf

MASKED_LOGIT = -1e9
"""What stands for minus infinity: finite, so that 0 * MASKED is 0 and not NaN."""


def mask_history(logits: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
    """Takes padding and the books of the history out of a distribution over the catalogue.

    They are never recommended, so a model should not spend anything on ranking them.

    Args:
        logits: float32 [B, V + 1].
        history: int32 [B, L], ids in 0..V.

    Returns:
        float32 [B, V + 1], `MASKED` at id 0 and at the ids of the history.
    """
    shape = tf.shape(history)
    rows = tf.repeat(tf.range(shape[0]), shape[1] + 1)
    ids = tf.reshape(tf.pad(history, [[0, 0], [1, 0]]), [-1])  # the padded 0 is id 0
    indices = tf.stack([rows, ids], axis=1)
    return tf.tensor_scatter_nd_update(logits, indices, tf.fill(tf.shape(ids), MASKED_LOGIT))


def compute_multinomial_loss(
    logits: tf.Tensor, targets: tf.Tensor, log_partition: tf.Tensor
) -> tf.Tensor:
    """Negative mean log-likelihood of the targets under softmax(logits).

    The multinomial likelihood of Liang et al., "Variational Autoencoders for Collaborative
    Filtering" (2018), averaged over a reader's targets so that every reader weighs the same.

    Args:
        logits: float32 [B, V + 1], masked (`mask_history`).
        targets: int32 [B, M], padded with 0; masked ones are left out.
        log_partition: float32 [B], the logarithm of the sum of exp over the logits.

    Returns:
        float32 [B], 0 for a row without targets.
    """
    chosen = tf.gather(logits, targets, batch_dims=1)
    # A target that is masked cannot be learnt; one of them would drown the whole batch.
    found = tf.cast((targets > 0) & (chosen > MASKED_LOGIT / 2), tf.float32)
    chosen *= found
    count = tf.reduce_sum(found, axis=1)
    mean = tf.math.divide_no_nan(tf.reduce_sum(chosen, axis=1), count)
    return tf.where(count > 0, log_partition - mean, 0.0)

"""Drawing books at random, each book of a row at most once."""

from __future__ import annotations

from kd_tf.keras import tf
from kd_tf.models import randomness
from kd_tf.models.losses import MASKED


def draw(log_weights: tf.Tensor, allowed: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws without replacement, with odds proportional to exp of `log_weights`.

    The Gumbel top-k trick: Kool, van Hoof & Welling, "Stochastic Beams and Where to Find Them:
    The Gumbel-Top-k Trick for Sampling Sequences Without Replacement" (ICML 2019).

    Args:
        log_weights: float32 [B, n].
        allowed: bool [B, n], what may be drawn.
        count: How many to draw of each row; at most n are.

    Returns:
        int32 [B, min(count, n)], places in 0..n - 1, and bool of the same shape, False where a
        row had too few.
    """
    keys = tf.where(allowed, log_weights + randomness.gumbel(tf.shape(allowed)), MASKED)
    found, places = tf.math.top_k(keys, tf.minimum(count, tf.shape(allowed)[1]))
    return places, found > MASKED / 2

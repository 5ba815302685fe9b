"""Drawing books at random, each book of a row at most once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.losses.softmax import MASKED_LOGIT

REJECTION_SAMPLING_RATIO = 32
"""From how many times as many books as are drawn a catalogue is large."""


def sample_without_replacement(
    log_weights: tf.Tensor, mask: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor]:
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
    keys = tf.where(mask, log_weights + rng.sample_gumbel(tf.shape(mask)), MASKED_LOGIT)
    found, places = tf.math.top_k(keys, tf.minimum(count, tf.shape(mask)[1]))
    return places, found > MASKED_LOGIT / 2


def sample_uniform_items(
    num_items: int, num_rows: tf.Tensor, count: int, is_allowed: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws books of the catalogue evenly and without replacement.

    Where the catalogue is large, three times as many as wanted are drawn with replacement and what
    comes again or is not allowed is passed over: the same as drawing one after the other, without
    a number for every book of the catalogue.

    Args:
        books: V.
        rows: int32 [], B.
        count: How many to draw of each row; at most V are.
        allowed: Says of ids int32 [B, n] which may be drawn: bool [B, n].

    Returns:
        int32 [B, m], ids in 1..V, and bool [B, m], False for what is not drawn. At most `count`
        of a row are True; fewer where a row has too few, or by chance where more than half of a
        large catalogue is not allowed.
    """
    if num_items < REJECTION_SAMPLING_RATIO * count:
        everything = tf.tile(tf.range(1, num_items + 1)[tf.newaxis], [num_rows, 1])
        places, drawn = sample_without_replacement(
            tf.zeros([num_rows, num_items]), is_allowed(everything), count
        )
        return places + 1, drawn
    ids = rng.sample_uniform([num_rows, 3 * count], 1, num_items + 1, tf.int32)
    same = ids[:, :, tf.newaxis] == ids[:, tf.newaxis]
    earlier = np.tri(3 * count, k=-1, dtype=bool)
    drawn = is_allowed(ids) & ~tf.reduce_any(same & earlier, axis=2)
    so_far = tf.cumsum(tf.cast(drawn, tf.int32), axis=1)
    return ids, drawn & (so_far <= count)

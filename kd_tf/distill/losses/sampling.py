"""Random sampling of items without replacement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.losses.softmax import MASKED_LOGIT

REJECTION_SAMPLING_RATIO = 32
"""Rejection sampling is used if the catalog has this many times as many items as are drawn."""


def sample_without_replacement(
    log_weights: tf.Tensor, mask: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws without replacement, with odds proportional to exp of `log_weights`.

    The Gumbel top-k trick: Kool, van Hoof & Welling, "Stochastic Beams and Where to Find Them:
    The Gumbel-Top-k Trick for Sampling Sequences Without Replacement" (ICML 2019).

    Args:
        log_weights: float32 [B, n].
        mask: bool [B, n], True for what may be drawn.
        count: The number of draws per row, at most n.

    Returns:
        int32 [B, min(count, n)], indices in 0..n - 1, and a bool mask of the same shape, False
        where the row had too few candidates.
    """
    keys = tf.where(mask, log_weights + rng.sample_gumbel(tf.shape(mask)), MASKED_LOGIT)
    top_keys, indices = tf.math.top_k(keys, tf.minimum(count, tf.shape(mask)[1]))
    return indices, top_keys > MASKED_LOGIT / 2


def sample_uniform_items(
    num_items: int, num_rows: tf.Tensor, count: int, is_allowed: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws items of the catalog uniformly and without replacement.

    From a large catalog, three times as many as needed are drawn with replacement, and repeated
    or disallowed ones are rejected. This equals drawing one after the other, without the memory
    for a number per item of the catalog.

    Args:
        num_items: V.
        num_rows: int32 [], B.
        count: The number of items per row, at most V.
        is_allowed: Maps ids int32 [B, n] to bool [B, n], True for those that may be drawn.

    Returns:
        int32 [B, m], ids in 1..V, and a bool mask [B, m], True for the drawn ones. At most
        `count` of a row are True; fewer if the row has fewer candidates or, by chance, if more
        than half of a large catalog is not allowed.
    """
    if num_items < REJECTION_SAMPLING_RATIO * count:
        all_ids = tf.tile(tf.range(1, num_items + 1)[tf.newaxis], [num_rows, 1])
        indices, mask = sample_without_replacement(
            tf.zeros([num_rows, num_items]), is_allowed(all_ids), count
        )
        return indices + 1, mask
    ids = rng.sample_uniform([num_rows, 3 * count], 1, num_items + 1, tf.int32)
    is_same = ids[:, :, tf.newaxis] == ids[:, tf.newaxis]
    is_earlier = np.tri(3 * count, k=-1, dtype=bool)
    mask = is_allowed(ids) & ~tf.reduce_any(is_same & is_earlier, axis=2)
    num_so_far = tf.cumsum(tf.cast(mask, tf.int32), axis=1)
    return ids, mask & (num_so_far <= count)

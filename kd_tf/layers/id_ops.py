"""Operations on histories of item ids: int32 [B, L], ids 1..V, 0 for padding."""

from __future__ import annotations

from kd_tf.backend import tf


def mask_unknown_ids(ids: tf.Tensor, num_items: int) -> tf.Tensor:
    """Replaces ids outside 1..`num_items` with 0, which is padding.

    Example:
        >>> mask_unknown_ids(tf.constant([[1, -7, 4, 3]]), num_items=3).numpy()
        array([[1, 0, 0, 3]], dtype=int32)
    """
    return tf.where((ids >= 1) & (ids <= num_items), ids, tf.zeros_like(ids))


def mark_first_occurrences(ids: tf.Tensor) -> tf.Tensor:
    """Marks the first occurrence of each item in its row: bool [B, L], False for padding.

    Args:
        ids: int32 [B, L], valid ids and padding.

    Example:
        >>> mark_first_occurrences(tf.constant([[2, 0, 2, 1]])).numpy()
        array([[ True, False, False,  True]])
    """
    return (ids > 0) & _is_first(ids)


def deduplicate(ids: tf.Tensor) -> tf.Tensor:
    """Keeps only the first occurrence of each item, in place: int32 [B, L], 0 elsewhere.

    Args:
        ids: int32 [B, L], valid ids and padding.

    Example:
        >>> deduplicate(tf.constant([[2, 0, 2, 1]])).numpy()
        array([[2, 0, 0, 1]], dtype=int32)
    """
    return tf.where(_is_first(ids), ids, 0)


def compact_ids(ids: tf.Tensor) -> tf.Tensor:
    """Removes repetitions and gaps: int32 [B, L], items in order, padded with 0 at the end.

    For models that use positions; `deduplicate` is cheaper where only the set of items counts.

    Args:
        ids: int32 [B, L], valid ids and padding; L is static.

    Example:
        >>> compact_ids(tf.constant([[2, 0, 2, 1]])).numpy()
        array([[2, 1, 0, 0]], dtype=int32)
    """
    first = mark_first_occurrences(ids)
    L = ids.shape[1]
    # Removed entries go to column L, which is cut off at the end.
    column = tf.where(first, tf.cumsum(tf.cast(first, tf.int32), axis=1) - 1, L)
    row = tf.expand_dims(tf.range(tf.shape(ids)[0]) * (L + 1), 1)
    flat = tf.scatter_nd(
        tf.reshape(column + row, [-1, 1]),
        tf.reshape(tf.where(first, ids, 0), [-1]),
        [tf.shape(ids)[0] * (L + 1)],
    )
    return tf.reshape(flat, [-1, L + 1])[:, :L]


def _is_first(ids: tf.Tensor) -> tf.Tensor:
    """Marks the first occurrence of each number in its row, padding included: bool [B, L]."""
    equal = tf.cast(tf.equal(tf.expand_dims(ids, 2), tf.expand_dims(ids, 1)), tf.int32)
    # Among equal values argmax returns the first index.
    return tf.argmax(equal, axis=2, output_type=tf.int32) == tf.range(ids.shape[1])

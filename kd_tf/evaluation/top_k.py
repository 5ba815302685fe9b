"""Selects the top k items of each user, exactly, also where scores tie."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from kd_tf.data.histories import Histories

_BLOCKS_PER_RANK = 16
"""Blocks of scores per list place: more blocks give a tighter threshold at a higher cost."""

_CROWDED_FACTOR = 8
"""Rows with more candidates per list place than this have many equal scores."""


def select_unseen_top_k(scores: np.ndarray, histories: Histories, k: int) -> np.ndarray:
    """Selects the k items with the highest scores of each user, without the user's history.

    Exact, also where scores tie: the lower id comes first. An item with score -inf is never
    recommended.

    Args:
        scores: float32 [b, V + 1], higher is better; column 0 is padding, only checked for NaN.
            Not modified.
        histories: The histories of the b users.
        k: Number of ids per row, at least 1; may be more than V.

    Returns:
        int32 [b, k], best first, padded with 0 where fewer than k items remain.

    Raises:
        ValueError: Shapes do not match, a history has an id outside 1..V, or a score is NaN.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import from_lists
        >>> scores = np.array([[0.0, 0.5, 0.9, 0.7]], np.float32)
        >>> select_unseen_top_k(scores, from_lists([[2]]), k=2)
        array([[3, 1]], dtype=int32)
    """
    if scores.ndim != 2 or len(scores) != len(histories):
        raise ValueError(f"scores {list(scores.shape)} do not match {len(histories)} histories")
    if not np.issubdtype(scores.dtype, np.floating):
        raise ValueError(f"scores must be float32, not {scores.dtype}")
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")
    rows, columns = scores.shape
    check_ids(histories, columns - 1)
    best = np.zeros((rows, k), np.int32)
    width = min(k, columns - 1)
    if not rows or not width:
        return best
    unseen = scores.copy()
    if np.isnan(unseen[:, 0]).any():
        _raise_nan(int(np.isnan(unseen[:, 0]).argmax()), 0)
    unseen[:, 0] = -np.inf
    threshold = _find_threshold(unseen, histories, width)

    # All scores at or above the threshold are candidates: the k best and a few more.
    candidates = unseen >= threshold[:, None]
    counts = np.count_nonzero(candidates, axis=1)
    crowded_rows = np.flatnonzero(counts > _CROWDED_FACTOR * width)
    if len(crowded_rows):
        candidates[crowded_rows] = _select_exactly(unseen[crowded_rows], width)
        counts[crowded_rows] = np.count_nonzero(candidates[crowded_rows], axis=1)
    row, item = np.divmod(np.flatnonzero(candidates), columns)
    order = np.lexsort((item, -unseen[row, item], row))
    row, item = row[order], item[order]
    position = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_best = position < width
    best[row[is_best], position[is_best]] = item[is_best]
    return best


def _find_threshold(unseen: np.ndarray, histories: Histories, width: int) -> np.ndarray:
    """Masks the histories with -inf, in place, and finds a score that `width` items reach.

    The maxima of disjoint blocks are scores of different items, so at least k items reach the k-th
    highest maximum. This needs one pass over the scores instead of a partition of all of them.

    Returns:
        float32 [b].
    """
    rows, columns = unseen.shape
    seen_index = np.repeat(np.arange(rows), histories.lengths), histories.items
    is_nan = np.isnan(unseen[seen_index])
    if is_nan.any():
        _raise_nan(*(int(index[is_nan.argmax()]) for index in seen_index))
    unseen[seen_index] = -np.inf
    blocks = min(_BLOCKS_PER_RANK * width, columns)
    height = columns // blocks
    tail = unseen[:, blocks * height :]
    highest = unseen[:, : blocks * height].reshape(rows, height, blocks).max(axis=1)
    if tail.shape[1]:
        highest = np.concatenate([highest, tail.max(axis=1, keepdims=True)], axis=1)
    if np.isnan(highest).any():  # the maximum of a block with a NaN is NaN
        _raise_nan(*(int(index[0]) for index in np.nonzero(np.isnan(unseen))))
    place = highest.shape[1] - width
    threshold = np.partition(highest, place, axis=1)[:, place]
    # With fewer than k blocks above -inf, every score above -inf is a candidate.
    return np.maximum(threshold, np.finfo(unseen.dtype).min)


def _select_exactly(unseen: np.ndarray, width: int) -> np.ndarray:
    """Masks the `width` best of each row, ties from the lowest id, none at -inf.

    For rows where many scores are equal, which a threshold alone cannot separate.

    Returns:
        bool [n, V + 1].
    """
    place = unseen.shape[1] - width
    threshold = np.partition(unseen, place, axis=1)[:, place, None]
    above = unseen > threshold
    equal = (unseen == threshold) & (unseen > -np.inf)
    num_equal = width - np.count_nonzero(above, axis=1)[:, None]
    return np.asarray(above | (equal & (np.cumsum(equal, axis=1) <= num_equal)))


def _raise_nan(row: int, item: int) -> NoReturn:
    """Raises ValueError that names the NaN score."""
    raise ValueError(f"the score of item {item} in user row {row} is NaN")


def check_ids(histories: Histories, num_items: int) -> None:
    """Raises ValueError, which names the user row, where an id is outside 1..`num_items`."""
    outside = (histories.items < 1) | (histories.items > num_items)
    if outside.any():
        position = int(outside.argmax())
        row = int(np.searchsorted(histories.offsets, position, side="right")) - 1
        raise ValueError(
            f"user row {row} has the id {histories.items[position]}, outside 1..{num_items}"
        )

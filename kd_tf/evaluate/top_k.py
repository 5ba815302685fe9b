"""The best books of each reader, exact also where scores tie."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from kd_tf.data.histories import Histories

_BLOCKS_PER_RANK = 16
"""Blocks of scores looked at for each book wanted: more make the threshold sharper, but dearer."""

_CROWDED_FACTOR = 8
"""Rows with more candidates than this for each book wanted are full of equal scores."""


def select_unseen_top_k(scores: np.ndarray, histories: Histories, k: int) -> np.ndarray:
    """The k best-scored books of each reader, without those of the history.

    Exact, also where scores tie: the lower id comes first. A book scored -inf is never
    recommended.

    Args:
        scores: float32 [b, V + 1], higher is better; column 0 is padding and not looked at but
            for NaN. Left unchanged.
        histories: What the b readers have read.
        k: How many ids a row, at least 1; may be more than V.

    Returns:
        int32 [b, k], best first, ending in zeros where fewer than k books are left.

    Raises:
        ValueError: Shapes do not fit, a history holds an id outside 1..V, or a score is NaN.
    """
    if scores.ndim != 2 or len(scores) != len(histories):
        raise ValueError(f"scores {list(scores.shape)} do not fit {len(histories)} histories")
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
    left = scores.copy()
    if np.isnan(left[:, 0]).any():
        _raise_nan(int(np.isnan(left[:, 0]).argmax()), 0)
    left[:, 0] = -np.inf
    threshold = _find_threshold(left, histories, width)

    # All above the threshold, and those equal to it, are candidates: the k best and a few more.
    candidates = left >= threshold[:, None]
    counts = np.count_nonzero(candidates, axis=1)
    crowded = np.flatnonzero(counts > _CROWDED_FACTOR * width)
    if len(crowded):
        candidates[crowded] = _select_exactly(left[crowded], width)
        counts[crowded] = np.count_nonzero(candidates[crowded], axis=1)
    row, item = np.divmod(np.flatnonzero(candidates), columns)
    order = np.lexsort((item, -left[row, item], row))
    row, item = row[order], item[order]
    position = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = position < width
    best[row[kept], position[kept]] = item[kept]
    return best


def _find_threshold(left: np.ndarray, histories: Histories, width: int) -> np.ndarray:
    """Strikes out what is read, and gives each row a score that `width` books reach.

    The maxima of disjoint blocks are scores of different books, so the k-th highest maximum is
    reached by at least k books: one pass over the scores instead of a partition of all of them.
    """
    rows, columns = left.shape
    read = np.repeat(np.arange(rows), histories.lengths), histories.items
    hidden = np.isnan(left[read])
    if hidden.any():
        _raise_nan(*(int(index[hidden.argmax()]) for index in read))
    left[read] = -np.inf
    blocks = min(_BLOCKS_PER_RANK * width, columns)
    height = columns // blocks
    tail = left[:, blocks * height :]
    highest = left[:, : blocks * height].reshape(rows, height, blocks).max(axis=1)
    if tail.shape[1]:
        highest = np.concatenate([highest, tail.max(axis=1, keepdims=True)], axis=1)
    if np.isnan(highest).any():  # the maximum of a block with a NaN is NaN
        _raise_nan(*(int(index[0]) for index in np.nonzero(np.isnan(left))))
    place = highest.shape[1] - width
    threshold = np.partition(highest, place, axis=1)[:, place]
    # Fewer than k blocks with a recommendable book: everything above -inf is a candidate.
    return np.maximum(threshold, np.finfo(left.dtype).min)


def _select_exactly(left: np.ndarray, width: int) -> np.ndarray:
    """bool [n, V + 1]: the `width` best of each row, equal ones from the lowest id, none at -inf.

    For rows where many scores are equal, which a threshold alone cannot part.
    """
    place = left.shape[1] - width
    threshold = np.partition(left, place, axis=1)[:, place, None]
    above = left > threshold
    equal = (left == threshold) & (left > -np.inf)
    room = width - np.count_nonzero(above, axis=1)[:, None]
    return above | (equal & (np.cumsum(equal, axis=1) <= room))


def _raise_nan(row: int, item: int) -> NoReturn:
    raise ValueError(f"the score of book {item} in reader row {row} is NaN")


def check_ids(histories: Histories, num_items: int) -> None:
    """Raises ValueError, with the reader's row in it, where an id is outside 1..`books`."""
    outside = (histories.items < 1) | (histories.items > num_items)
    if outside.any():
        position = int(outside.argmax())
        row = int(np.searchsorted(histories.offsets, position, side="right")) - 1
        raise ValueError(
            f"reader row {row} holds the id {histories.items[position]}, outside 1..{num_items}"
        )

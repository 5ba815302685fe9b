"""Fewer weights of a sparse item matrix: which of them to keep."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import sparse

Side = Literal["candidate", "history"]


def select_top_targets(matrix: sparse.csr_array, num_targets: int) -> tuple[np.ndarray, np.ndarray]:
    """The `width` largest weights of each row, largest first.

    Returns:
        ids int32 [n, width] (0 is padding) and weights float32 [n, width].
    """
    rows = matrix.shape[0]
    order, place = _rank_within_rows(matrix)
    kept = place < num_targets
    row = np.repeat(np.arange(rows), np.diff(matrix.indptr))
    ids = np.zeros((rows, num_targets), np.int32)
    values = np.zeros((rows, num_targets), np.float32)
    ids[row[kept], place[kept]] = matrix.indices[order][kept]
    values[row[kept], place[kept]] = matrix.data[order][kept]
    return ids, values


def keep_top_weights(matrix: sparse.csr_array, max_weights: int, side: Side) -> sparse.csr_array:
    """The matrix with at most `width` weights a book, the largest above 0.

    On the ``candidate`` side every book keeps those books of a history that speak loudest for
    it; on the ``history`` side every book of a history keeps those that it speaks loudest for.
    """
    if side == "candidate":
        return sparse.csr_array(
            keep_top_weights(matrix.T.tocsr(), max_weights, "history").T.tocsr()
        )
    order, place = _rank_within_rows(matrix)
    kept = order[(place < max_weights) & (matrix.data[order] > 0)]
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    pruned = sparse.csr_array(
        (matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape
    )
    pruned.sort_indices()
    return pruned


def _rank_within_rows(matrix: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """The entries by row and falling weight, and each one's place in its row."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
    return order, place

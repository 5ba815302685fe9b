"""Sparsifies an item-item matrix: keeps its largest weights."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import sparse

Side = Literal["candidate", "history"]
"""Which item of a pair keeps its largest weights: the scored one or the one in the history."""


def select_top_targets(matrix: sparse.csr_array, num_targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Selects the `num_targets` largest weights of each row, in descending order.

    Args:
        matrix: CSR [n, V + 1].
        num_targets: K, how many weights to select; shorter rows are padded.

    Returns:
        Column ids int32 [n, K] (0 is padding) and weights float32 [n, K].
    """
    num_rows = matrix.shape[0]
    order, rank = _rank_within_rows(matrix)
    is_selected = rank < num_targets
    row = np.repeat(np.arange(num_rows), np.diff(matrix.indptr))
    ids = np.zeros((num_rows, num_targets), np.int32)
    values = np.zeros((num_rows, num_targets), np.float32)
    ids[row[is_selected], rank[is_selected]] = matrix.indices[order][is_selected]
    values[row[is_selected], rank[is_selected]] = matrix.data[order][is_selected]
    return ids, values


def keep_top_weights(matrix: sparse.csr_array, max_weights: int, side: Side) -> sparse.csr_array:
    """Keeps at most `max_weights` weights of each item: the largest ones above 0.

    Args:
        matrix: CSR [V + 1, V + 1]; entry (h, i) is what item h adds to the score of item i.
        max_weights: How many weights an item keeps at most.
        side: ``candidate`` keeps the largest weights of each column (of each scored item),
            ``history`` those of each row (of each item in a history).

    Returns:
        CSR [V + 1, V + 1] with sorted columns.
    """
    if side == "candidate":
        return sparse.csr_array(
            keep_top_weights(matrix.T.tocsr(), max_weights, "history").T.tocsr()
        )
    order, rank = _rank_within_rows(matrix)
    selected_entries = order[(rank < max_weights) & (matrix.data[order] > 0)]
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    pruned_matrix = sparse.csr_array(
        (matrix.data[selected_entries], (row[selected_entries], matrix.indices[selected_entries])),
        shape=matrix.shape,
    )
    pruned_matrix.sort_indices()
    return pruned_matrix


def keep_items(matrix: sparse.csr_array, is_kept: np.ndarray) -> sparse.csr_array:
    """Keeps the weights between items that are both kept.

    Args:
        matrix: CSR [V + 1, V + 1].
        is_kept: bool [V + 1].

    Returns:
        float32 CSR [V + 1, V + 1].
    """
    diagonal = sparse.diags_array(is_kept.astype(np.float32))
    kept_matrix = sparse.csr_array(diagonal @ matrix @ diagonal)
    kept_matrix.eliminate_zeros()
    return kept_matrix


def _rank_within_rows(matrix: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Sorts the entries by row, then by descending weight.

    Returns:
        The permutation of the entries, and the rank (0 is the largest weight) of each permuted
        entry in its row.
    """
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    rank = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
    return order, rank

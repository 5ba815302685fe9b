"""Rows and columns of an item-item matrix for items that are mixtures of others."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.models.closed_form.sparsify import keep_items, keep_top_weights
from kd_tf.models.content.item_mixtures import ItemMixtures

SELF_SHARE = 2.0
"""What an item in a history adds to the score of a new item that is made of it alone, relative to
the median of the items' strongest weights: an item-item matrix has no such entry of its own."""

MAX_ENTRIES = 40_000_000
"""Entries that the columns of all mixed items have at most, and their rows: 0.3 GB each."""

MAX_ROW_PARTS = 30
"""Items that the row of a mixed item is made of at most. Whatever a reader of a new book may like
follows from the few books that are most like it."""

_BLOCK_SIZE = 500


def mix_item_matrix(matrix: sparse.csr_array, mixtures: ItemMixtures) -> sparse.csr_array:
    """Returns a matrix in which some items have rows and columns mixed of those of other items.

    Args:
        matrix: float32 CSR [V + 1, V + 1]; entry (h, i) is what item h in a history adds to the
            score of item i.
        mixtures: The items. What the matrix says of them is replaced; mixed weights below 0 are
            dropped.

    Returns:
        float32 CSR [V + 1, V + 1] with sorted columns and an empty diagonal.

    Example:
        >>> weights = np.zeros((4, 4), np.float32)
        >>> weights[1, 2] = weights[2, 1] = 1
        >>> mixture = sparse.csr_array(np.array([[0, 1, 0, 0]], np.float32))
        >>> mixtures = ItemMixtures(np.array([3], np.int32), mixture)
        >>> mix_item_matrix(sparse.csr_array(weights), mixtures).toarray()[1:, 1:]
        array([[0., 1., 2.],
               [1., 0., 1.],
               [2., 1., 0.]], dtype=float32)
    """
    size, items = matrix.shape[0], mixtures.items
    is_source = np.ones(size, bool)
    is_source[0] = is_source[items] = False
    known_part = keep_items(matrix, is_source)
    with_self = _add_diagonal(known_part, is_source, _choose_self_weight(known_part))
    max_length = MAX_ENTRIES // max(len(items), 1)
    columns = _compute_product(mixtures.weights, sparse.csr_array(with_self.T), max_length)
    column_part = sparse.csr_array(_place_rows(columns, items, size).T)
    row_weights = keep_top_weights(mixtures.weights, MAX_ROW_PARTS, "history")
    rows = _compute_product(row_weights, sparse.csr_array(with_self + column_part), max_length)
    mixed_matrix = sparse.csr_array(known_part + column_part + _place_rows(rows, items, size))
    return _remove_diagonal(mixed_matrix)


def compute_predicted_matrix(
    matrix: sparse.csr_array, mixtures: ItemMixtures, is_new: np.ndarray, max_weights: int
) -> sparse.csr_array:
    """Predicts the columns of items from those of others, also where they have one of their own.

    Args:
        matrix: float32 CSR [V + 1, V + 1], as for `mix_item_matrix`.
        mixtures: All items whose columns are predicted, none of which is a part of itself.
        is_new: bool [V + 1], the items of which the matrix says nothing: their rows are mixed too.
        max_weights: Weights of each column that are kept.

    Returns:
        float32 CSR [V + 1, V + 1] with weights above 0, sorted columns and an empty diagonal.
    """
    size = matrix.shape[0]
    is_source = ~is_new
    is_source[0] = False
    known_part = keep_items(matrix, is_source)
    with_self = _add_diagonal(known_part, is_source, _choose_self_weight(matrix))
    columns = _compute_product(mixtures.weights, sparse.csr_array(with_self.T), max_weights)
    predicted_matrix = sparse.csr_array(_place_rows(columns, mixtures.items, size).T)
    new_rows = np.flatnonzero(is_new[mixtures.items])
    if len(new_rows):
        weights = sparse.csr_array(mixtures.weights[new_rows])
        row_weights = keep_top_weights(weights, MAX_ROW_PARTS, "history")
        rows = _compute_product(row_weights, predicted_matrix, MAX_ENTRIES // len(new_rows))
        predicted_matrix = sparse.csr_array(
            predicted_matrix + _place_rows(rows, mixtures.items[new_rows], size)
        )
    return _remove_diagonal(predicted_matrix)


def _add_diagonal(
    matrix: sparse.csr_array, is_source: np.ndarray, weight: np.float32
) -> sparse.csr_array:
    """Adds what items add to their own scores, at the items of the mask bool [V + 1]."""
    return sparse.csr_array(matrix + sparse.diags_array(is_source.astype(np.float32)) * weight)


def _remove_diagonal(matrix: sparse.csr_array) -> sparse.csr_array:
    """Removes the diagonal, in place, and sorts the columns."""
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _choose_self_weight(matrix: sparse.csr_array) -> np.float32:
    """Returns what an item adds to the score of a new one that is made of it alone."""
    strongest = matrix.max(axis=1).toarray().ravel()
    has_weights = strongest > 0
    return np.float32(SELF_SHARE * np.median(strongest[has_weights]) if has_weights.any() else 1)


def _compute_product(
    weights: sparse.csr_array, matrix: sparse.csr_array, max_length: int
) -> sparse.csr_array:
    """Multiplies in blocks of rows, of which the largest entries are kept: CSR [m, V + 1]."""
    blocks = [
        keep_top_weights(
            sparse.csr_array(weights[start : start + _BLOCK_SIZE] @ matrix),
            max(max_length, 1),
            "history",
        )
        for start in range(0, weights.shape[0], _BLOCK_SIZE)
    ]
    return sparse.csr_array(sparse.vstack(blocks))


def _place_rows(rows: sparse.csr_array, items: np.ndarray, size: int) -> sparse.csr_array:
    """Puts the rows of a matrix [m, size] at the rows `items` of one of [size, size]."""
    lengths = np.zeros(size, np.int64)
    lengths[items] = np.diff(rows.indptr)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    # Items are ascending, so that the entries are in order already.
    return sparse.csr_array((rows.data, rows.indices, offsets), shape=(size, size))

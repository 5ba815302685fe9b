"""Which books are read together: ridge regression of each book on its neighbours."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.progress import Progress

BOOKS_AT_ONCE = 256
HISTORY_POWER = -0.25
"""Readers weigh (books read) ** this: who read hundreds says less about any two of them."""


def local_ridge(
    histories: Histories,
    books: int,
    *,
    neighbours: int = 50,
    regularization: float = 30.0,
    progress: Progress,
) -> sparse.csr_array:
    """Item-to-item weights: how much having read h speaks for i.

    For each book i the exact ridge regression of "has read i" on "has read h" over the
    `neighbours` books h that explain most of it on their own. The item-item model of Steck,
    "Embarrassingly Shallow Autoencoders for Sparse Data" (2019), restricted to few neighbours a
    book as in Ning & Karypis, "SLIM" (2011): sparse, and no matrix larger than that is inverted.

    Args:
        histories: Of the training readers.
        books: V.
        neighbours: How many books may speak for a book.
        regularization: Lambda of the ridge, as if every reader weighed 1.
        progress: Told of every block of books.

    Returns:
        float32 CSR [V + 1, V + 1]; entry (h, i) is the weight, 0 on the diagonal and for padding.
    """
    gram = _gram(histories, books)
    count = gram.diagonal()
    # The weights shrink the counts; the same lambda must mean the same on any data.
    regularization *= float(count.sum()) / max(len(histories.items), 1)
    candidate = _strongest(gram, count, neighbours, regularization)
    # One sorted key an entry, so that many entries are found by one binary search.
    row = np.repeat(np.arange(books + 1, dtype=np.int64), np.diff(gram.indptr))
    keys = row * (books + 1) + gram.indices
    values = np.append(gram.data, 0.0)

    def entries(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        wanted = rows.astype(np.int64) * (books + 1) + columns
        place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        found = keys[place] == wanted if len(keys) else np.zeros(wanted.shape, bool)
        return values[np.where(found, place, -1)]

    weights = np.zeros(candidate.shape)
    diagonal = np.arange(candidate.shape[1])
    with progress.task("neighbours of each book", books + 1) as advance:
        for start in range(0, books + 1, BOOKS_AT_ONCE):
            block = candidate[start : start + BOOKS_AT_ONCE]
            real = block > 0
            system = entries(block[:, :, None], block[:, None, :])
            system[:, diagonal, diagonal] = count[block] + regularization
            target = entries(np.arange(start, start + len(block))[:, None], block)
            # Where there are fewer candidates the system is filled up by an identity.
            system *= real[:, :, None] & real[:, None, :]
            system[:, diagonal, diagonal] += ~real
            solved = np.linalg.solve(system, (target * real)[:, :, None])[:, :, 0]
            weights[start : start + len(block)] = solved
            advance(len(block))
    book = np.repeat(np.arange(books + 1), candidate.shape[1])
    keep = (candidate > 0).ravel() & (weights.ravel() != 0)
    return sparse.csr_array(
        (
            weights.ravel()[keep].astype(np.float32),
            (candidate.ravel()[keep], book[keep]),
        ),
        shape=(books + 1, books + 1),
    )


def strongest_targets(weights: sparse.csr_array, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The `width` largest weights of each row: ids int32 [n, width] (0 is padding), float32."""
    rows = weights.shape[0]
    row = np.repeat(np.arange(rows), np.diff(weights.indptr))
    order = np.lexsort((-weights.data, row))
    place = np.arange(len(order)) - np.repeat(weights.indptr[:-1], np.diff(weights.indptr))
    kept = place < width
    ids = np.zeros((rows, width), np.int32)
    values = np.zeros((rows, width), np.float32)
    ids[row[kept], place[kept]] = weights.indices[order][kept]
    values[row[kept], place[kept]] = weights.data[order][kept]
    return ids, values


def _gram(histories: Histories, books: int) -> sparse.csr_array:
    """float64 CSR [V + 1, V + 1]: how many weighted readers have both books."""
    weight = np.maximum(histories.lengths, 1) ** HISTORY_POWER
    row = np.repeat(np.arange(len(histories)), histories.lengths)
    read = sparse.csr_array(
        (weight[row], (row, histories.items)), shape=(len(histories), books + 1)
    )
    gram = (read.T @ read).tocsr()
    gram.sort_indices()
    return gram


def _strongest(
    gram: sparse.csr_array, count: np.ndarray, neighbours: int, regularization: float
) -> np.ndarray:
    """int32 [V + 1, neighbours]: ids that explain most of each book alone, 0 is padding."""
    rows = gram.shape[0]
    row = np.repeat(np.arange(rows), np.diff(gram.indptr))
    column = gram.indices
    other = row != column
    row, column, together = row[other], column[other], gram.data[other]
    # The loss that one neighbour's own ridge regression takes away: g^2 / (d + lambda).
    gain = together**2 / (count[column] + regularization)
    ranked = sparse.csr_array((gain, (row, column)), shape=gram.shape)
    return strongest_targets(ranked, neighbours)[0]

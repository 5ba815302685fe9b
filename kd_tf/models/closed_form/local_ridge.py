"""Ridge regression of each book on its strongest partners, and the few of them that matter most."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse

from kd_tf.models.closed_form.co_occurrence import CoOccurrence
from kd_tf.models.closed_form.parallel import count_threads, split_into_blocks
from kd_tf.progress import Progress


@dataclass(frozen=True)
class LocalRidge:
    """How much having read one book speaks for another; see `local_ridge`.

    Attributes:
        partners: int32 [V + 1, K], for each book those that speak for it, 0 where there is none.
        weights: float32 [V + 1, K], how much; 0 where there is no partner.
        saliency: float32 [V + 1, K], by how much the fit of the book (weighted squared error
            over the readers) gets worse when this partner goes after all that matter less are
            gone. Filled by `eliminate` only, in the places of the partners that it was given:
            those that went have theirs as well.
    """

    neighbours: np.ndarray
    weights: np.ndarray
    saliency: np.ndarray | None = None

    @classmethod
    def from_matrix(cls, matrix: sparse.csr_array) -> LocalRidge:
        """The ridge whose `matrix` this is: as many partners as its longest column has."""
        by_item = sparse.csr_array(matrix.T.tocsr())
        lengths = np.diff(by_item.indptr)
        item = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(by_item.nnz) - np.repeat(by_item.indptr[:-1], lengths)
        shape = (len(lengths), max(int(lengths.max(initial=0)), 1))
        partners, weights = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        partners[item, place], weights[item, place] = by_item.indices, by_item.data
        return cls(partners, weights)

    def to_matrix(self) -> sparse.csr_array:
        """float32 CSR [V + 1, V + 1]: entry (h, i) is what book h adds to the score of i."""
        item = np.repeat(np.arange(len(self.neighbours)), self.neighbours.shape[1])
        kept = ((self.neighbours > 0) & (self.weights != 0)).ravel()
        found = sparse.csr_array(
            (self.weights.ravel()[kept], (self.neighbours.ravel()[kept], item[kept])),
            shape=(len(self.neighbours), len(self.neighbours)),
        )
        found.sort_indices()
        return found


def fit_local_ridge(
    pairs: CoOccurrence, *, num_neighbours: int, regularization: float, progress: Progress
) -> LocalRidge:
    """For each book the exact ridge regression of "has read it" on its strongest partners.

    The item-item model of Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019),
    restricted to few partners a book as in Ning & Karypis, "SLIM" (2011), so that no system is
    larger than `neighbours` and the time grows with the number of books alone. Partners are
    those that would explain most alone: g^2 / (count + lambda), g the readers of both.

    Args:
        pairs: Shared readers.
        neighbours: K, how many books may speak for a book.
        regularization: Lambda, in readers (see `CoReading.scale`), above 0.
        progress: Told of the books.
    """
    if not regularization > 0:
        raise ValueError(f"regularization must be above 0, not {regularization}")
    partners = select_neighbours(pairs, num_neighbours, regularization, progress)
    return _solve_all_items(pairs, partners, regularization, None, "ridge of each book", progress)


def prune_neighbours(
    pairs: CoOccurrence,
    ridge: LocalRidge,
    num_kept: int,
    *,
    regularization: float,
    progress: Progress,
) -> LocalRidge:
    """The ridge on fewer partners: of each book the least useful goes, one after the other.

    After each removal the remaining weights are those of the exact ridge on the remaining
    partners, and the next to go is the one whose loss hurts the fit least. This is the optimal
    brain surgeon (Hassibi & Stork, 1993) on a quadratic loss, where it is exact. With `kept` = K
    nothing but the saliencies is new.

    Args:
        pairs: Shared readers, as `ridge` was made from.
        ridge: From `local_ridge`.
        kept: How many partners a book keeps, at least 1.
        regularization: The ridge's.
        progress: Told of the books.
    """
    return _solve_all_items(
        pairs, ridge.neighbours, regularization, num_kept, "partners that matter", progress
    )


def refit(
    pairs: CoOccurrence, neighbours: np.ndarray, *, regularization: float, progress: Progress
) -> LocalRidge:
    """The exact ridge on given partners: int32 [V + 1, K], 0 where there is none."""
    return _solve_all_items(pairs, neighbours, regularization, None, "ridge of each book", progress)


def select_neighbours(
    pairs: CoOccurrence, num_neighbours: int, regularization: float, progress: Progress
) -> np.ndarray:
    """int32 [V + 1, `neighbours`]: which books explain most of each book alone, 0 is none."""
    gram, rows = pairs.gram, pairs.num_items + 1
    penalty = np.float32(regularization * pairs.mean_weight)
    found = np.zeros((rows, num_neighbours), np.int32)

    def block(edges: tuple[int, int]) -> int:
        _select_block(
            gram.indptr, gram.indices, gram.data, pairs.item_counts + penalty, *edges, found
        )
        return edges[1] - edges[0]

    _run_in_blocks(block, rows, "strongest partners", progress)
    return found


def _solve_all_items(
    pairs: CoOccurrence,
    neighbours: np.ndarray,
    regularization: float,
    num_kept: int | None,
    label: str,
    progress: Progress,
) -> LocalRidge:
    if not regularization > 0:
        raise ValueError(f"regularization must be above 0, not {regularization}")
    if num_kept is not None and num_kept < 1:
        raise ValueError(f"at least 1 partner must be kept, not {num_kept}")
    gram, rows = pairs.gram, pairs.num_items + 1
    diagonal = pairs.item_counts.astype(np.float64) + regularization * pairs.mean_weight
    neighbours = np.ascontiguousarray(neighbours, np.int32)
    weights = np.zeros(neighbours.shape, np.float32)
    saliency = np.zeros(neighbours.shape if num_kept is not None else (1, 1), np.float32)

    def block(edges: tuple[int, int]) -> int:
        if num_kept is None:
            _solve_block(
                gram.indptr, gram.indices, gram.data, diagonal, neighbours, *edges, weights
            )
        else:
            _prune_block(
                gram.indptr,
                gram.indices,
                gram.data,
                diagonal,
                neighbours,
                num_kept,
                *edges,
                weights,
                saliency,
            )
        return edges[1] - edges[0]

    _run_in_blocks(block, rows, label, progress)
    if num_kept is None:
        return LocalRidge(neighbours, weights)
    return LocalRidge(np.where(weights != 0, neighbours, 0), weights, saliency)


def _run_in_blocks(block, rows: int, label: str, progress: Progress) -> None:  # type: ignore[no-untyped-def]
    with progress.task(label, rows) as advance, ThreadPoolExecutor(count_threads()) as pool:
        for done in pool.map(block, split_into_blocks(0, rows)):
            advance(done)


@njit(nogil=True, cache=True)
def _select_block(indptr, indices, data, counts, start, end, neighbours):  # type: ignore[no-untyped-def]
    width = neighbours.shape[1]
    for item in range(start, end):
        first, last = indptr[item], indptr[item + 1]
        gain = np.empty(last - first, np.float32)
        for one in range(first, last):
            gain[one - first] = -data[one] * data[one] / counts[indices[one]]
        # Stable, so that equal gains keep the order of the ids on every machine.
        order = np.argsort(gain, kind="mergesort")
        for place in range(min(width, len(order))):
            neighbours[item, place] = indices[first + order[place]]


@njit(nogil=True, cache=True, inline="always")
def _build_system(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, item, position, matrix, target
):
    """Fills the normal equations of one book; gives how many partners it has."""
    size = 0
    for one in neighbours[item]:
        if one > 0:
            position[one] = size
            size += 1
    for place in range(size):
        target[place] = 0
        for other in range(size):
            matrix[place, other] = 0
    for one in range(indptr[item], indptr[item + 1]):
        place = position[indices[one]]
        if place >= 0:
            target[place] = data[one]
    for one in neighbours[item]:
        if one > 0:
            place = position[one]
            for entry in range(indptr[one], indptr[one + 1]):
                other = position[indices[entry]]
                if other >= 0:
                    # The counts may be cut off on one side of a pair: both get what is known.
                    matrix[place, other] = data[entry]
                    matrix[other, place] = data[entry]
            matrix[place, place] = diagonal[one]
    for one in neighbours[item]:
        if one > 0:
            position[one] = -1
    return size


@njit(nogil=True, cache=True, fastmath=True)
def _compute_cholesky(matrix, size):  # type: ignore[no-untyped-def]
    """The lower factor, in place; False where the matrix is not positive definite."""
    for row in range(size):
        for column in range(row + 1):
            value = matrix[row, column]
            for inner in range(column):
                value -= matrix[row, inner] * matrix[column, inner]
            if row == column:
                if not value > 0:
                    return False
                matrix[row, row] = np.sqrt(value)
            else:
                matrix[row, column] = value / matrix[column, column]
    return True


@njit(nogil=True, cache=True, fastmath=True)
def _solve_triangular(factor, size, right):  # type: ignore[no-untyped-def]
    """Solves in place with the factor and its transpose."""
    for row in range(size):
        value = right[row]
        for inner in range(row):
            value -= factor[row, inner] * right[inner]
        right[row] = value / factor[row, row]
    for row in range(size - 1, -1, -1):
        right[row] /= factor[row, row]
        value = right[row]
        for inner in range(row):
            right[inner] -= factor[row, inner] * value


@njit(nogil=True, cache=True)
def _factorize_system(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, item, position, matrix, target
):
    """The factored system of one book; a system with cut-off counts may need more ridge."""
    more = 0.0
    while True:
        size = _build_system(
            indptr, indices, data, diagonal, neighbours, item, position, matrix, target
        )
        for place in range(size):
            matrix[place, place] *= 1 + more
        if _compute_cholesky(matrix, size):
            return size
        more = max(2 * more, 0.05)


@njit(nogil=True, cache=True)
def _solve_block(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, start, end, weights
):
    width = neighbours.shape[1]
    position = np.full(len(diagonal), -1, np.int32)
    matrix = np.empty((width, width))
    target = np.empty(width)
    for item in range(start, end):
        size = _factorize_system(
            indptr, indices, data, diagonal, neighbours, item, position, matrix, target
        )
        _solve_triangular(matrix, size, target)
        done = 0
        for place in range(width):
            if neighbours[item, place] > 0:
                weights[item, place] = target[done]
                done += 1


@njit(nogil=True, cache=True, fastmath=True)
def _prune_block(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, num_kept, start, end, weights, saliency
):
    width = neighbours.shape[1]
    position = np.full(len(diagonal), -1, np.int32)
    matrix = np.empty((width, width))
    target = np.empty(width)
    inverse = np.empty((width, width))
    column = np.empty(width)
    for item in range(start, end):
        size = _factorize_system(
            indptr, indices, data, diagonal, neighbours, item, position, matrix, target
        )
        for one in range(size):
            column[:size] = 0
            column[one] = 1
            _solve_triangular(matrix, size, column)
            for other in range(size):
                inverse[other, one] = column[other]
        _solve_triangular(matrix, size, target)
        places = np.empty(size, np.int64)
        found = 0
        for place in range(width):
            if neighbours[item, place] > 0:
                places[found] = place
                found += 1
        alive = np.ones(size, np.bool_)
        for left in range(size, 0, -1):
            if left == num_kept or (left == size and left < num_kept):
                for one in range(size):
                    if alive[one]:
                        weights[item, places[one]] = target[one]
            worst, least = -1, 1e300
            for one in range(size):
                if alive[one]:
                    loss = target[one] * target[one] / max(inverse[one, one], 1e-30)
                    if loss < least:
                        worst, least = one, loss
            pivot = inverse[worst, worst]
            for one in range(size):
                column[one] = inverse[one, worst]
            step = target[worst] / pivot
            for one in range(size):
                if alive[one]:
                    target[one] -= step * column[one]
                    share = column[one] / pivot
                    for other in range(size):
                        inverse[one, other] -= share * column[other]
            alive[worst] = False
            saliency[item, places[worst]] = least

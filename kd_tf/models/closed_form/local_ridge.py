"""Fits an exact ridge regression of each item on its strongest neighbours, and prunes it."""

from __future__ import annotations

from collections.abc import Callable
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
    """A sparse item-item model: each item's neighbours and their weights; see `fit_local_ridge`.

    Attributes:
        neighbours: int32 [V + 1, K], the items that each item is predicted from, 0 is padding.
        weights: float32 [V + 1, K], the weight of each neighbour, 0 for padding.
        saliency: float32 [V + 1, K], by how much the fit of the item (weighted squared error over
            the users) gets worse when this neighbour is removed, after all less important ones
            are removed. Set by `prune_neighbours` only, in the positions of the neighbours that it
            was given, the removed ones included.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> weights = np.zeros((4, 4), np.float32)
        >>> weights[2, 1] = 0.5  # item 2 in the history adds 0.5 to the score of item 1
        >>> ridge = LocalRidge.from_matrix(sparse.csr_array(weights))
        >>> ridge.neighbours[1].tolist(), ridge.weights[1].tolist()
        ([2], [0.5])
    """

    neighbours: np.ndarray
    weights: np.ndarray
    saliency: np.ndarray | None = None

    @classmethod
    def from_matrix(cls, matrix: sparse.csr_array) -> LocalRidge:
        """Creates a model from an item-item matrix, as `to_matrix` returns it.

        Args:
            matrix: CSR [V + 1, V + 1]. Its longest column determines K.
        """
        by_item = sparse.csr_array(matrix.T.tocsr())
        lengths = np.diff(by_item.indptr)
        item = np.repeat(np.arange(len(lengths)), lengths)
        position = np.arange(by_item.nnz) - np.repeat(by_item.indptr[:-1], lengths)
        shape = (len(lengths), max(int(lengths.max(initial=0)), 1))
        neighbours, weights = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        neighbours[item, position], weights[item, position] = by_item.indices, by_item.data
        return cls(neighbours, weights)

    def to_matrix(self) -> sparse.csr_array:
        """Returns the item-item matrix: float32 CSR [V + 1, V + 1].

        Entry (h, i) is what item h of the history adds to the score of item i.
        """
        item = np.repeat(np.arange(len(self.neighbours)), self.neighbours.shape[1])
        has_weight = ((self.neighbours > 0) & (self.weights != 0)).ravel()
        matrix = sparse.csr_array(
            (
                self.weights.ravel()[has_weight],
                (self.neighbours.ravel()[has_weight], item[has_weight]),
            ),
            shape=(len(self.neighbours), len(self.neighbours)),
        )
        matrix.sort_indices()
        return matrix


def fit_local_ridge(
    pairs: CoOccurrence, *, num_neighbours: int, regularization: float, progress: Progress
) -> LocalRidge:
    """Fits the exact ridge regression of each item on its strongest neighbours.

    The item-item model of Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019),
    restricted to a few neighbours of each item as in Ning & Karypis, "SLIM" (2011). No linear
    system is larger than `num_neighbours`, and the time is linear in the number of items. The
    neighbours are those that explain most of the item on their own: the largest
    g^2 / (count + lambda), with g the number of users who have both items.

    Args:
        pairs: Co-occurrence counts.
        num_neighbours: K, how many neighbours an item has at most.
        regularization: Lambda, in users (see `CoOccurrence.mean_weight`), above 0.
        progress: Reports progress per item.

    Returns:
        The fitted model, without saliencies.

    Raises:
        ValueError: `regularization` is not above 0.
    """
    if not regularization > 0:
        raise ValueError(f"regularization must be above 0, not {regularization}")
    neighbours = select_neighbours(pairs, num_neighbours, regularization, progress)
    return _solve_all_items(pairs, neighbours, regularization, None, "local ridge", progress)


def prune_neighbours(
    pairs: CoOccurrence,
    ridge: LocalRidge,
    num_kept: int,
    *,
    regularization: float,
    progress: Progress,
) -> LocalRidge:
    """Removes the least important neighbour of each item, one by one, until `num_kept` remain.

    After each removal the weights are those of the exact ridge on the remaining neighbours, and
    the neighbour with the smallest loss of fit is removed next. This is the optimal brain surgeon
    (Hassibi & Stork, 1993), which is exact for a quadratic loss. With `num_kept` = K only the
    saliencies are added.

    Args:
        pairs: The co-occurrence counts that `ridge` was fitted to.
        ridge: A model from `fit_local_ridge`.
        num_kept: How many neighbours an item keeps, at least 1.
        regularization: The regularization that `ridge` was fitted with.
        progress: Reports progress per item.

    Returns:
        The pruned model with saliencies; removed neighbours are 0.

    Raises:
        ValueError: `regularization` is not above 0, or `num_kept` is below 1.
    """
    return _solve_all_items(
        pairs, ridge.neighbours, regularization, num_kept, "pruning neighbours", progress
    )


def refit(
    pairs: CoOccurrence, neighbours: np.ndarray, *, regularization: float, progress: Progress
) -> LocalRidge:
    """Fits the exact ridge regression of each item on the given neighbours.

    Args:
        pairs: Co-occurrence counts.
        neighbours: int32 [V + 1, K], 0 is padding.
        regularization: Lambda, in users, above 0.
        progress: Reports progress per item.

    Raises:
        ValueError: `regularization` is not above 0.
    """
    return _solve_all_items(pairs, neighbours, regularization, None, "local ridge", progress)


def select_neighbours(
    pairs: CoOccurrence, num_neighbours: int, regularization: float, progress: Progress
) -> np.ndarray:
    """Selects the neighbours that explain most of each item on their own.

    Returns:
        int32 [V + 1, num_neighbours], strongest first, 0 is padding.
    """
    gram, num_rows = pairs.gram, pairs.num_items + 1
    penalty = np.float32(regularization * pairs.mean_weight)
    neighbours = np.zeros((num_rows, num_neighbours), np.int32)

    def select_block(block: tuple[int, int]) -> int:
        _select_block(
            gram.indptr, gram.indices, gram.data, pairs.item_counts + penalty, *block, neighbours
        )
        return block[1] - block[0]

    _run_in_blocks(select_block, num_rows, "selecting neighbours", progress)
    return neighbours


def _solve_all_items(
    pairs: CoOccurrence,
    neighbours: np.ndarray,
    regularization: float,
    num_kept: int | None,
    label: str,
    progress: Progress,
) -> LocalRidge:
    """Fits the ridge of every item and, unless `num_kept` is None, prunes its neighbours."""
    if not regularization > 0:
        raise ValueError(f"regularization must be above 0, not {regularization}")
    if num_kept is not None and num_kept < 1:
        raise ValueError(f"num_kept must be at least 1, not {num_kept}")
    gram, num_rows = pairs.gram, pairs.num_items + 1
    diagonal = pairs.item_counts.astype(np.float64) + regularization * pairs.mean_weight
    neighbours = np.ascontiguousarray(neighbours, np.int32)
    weights = np.zeros(neighbours.shape, np.float32)
    saliency = np.zeros(neighbours.shape if num_kept is not None else (1, 1), np.float32)

    def solve_block(block: tuple[int, int]) -> int:
        if num_kept is None:
            _solve_block(
                gram.indptr, gram.indices, gram.data, diagonal, neighbours, *block, weights
            )
        else:
            _prune_block(
                gram.indptr,
                gram.indices,
                gram.data,
                diagonal,
                neighbours,
                num_kept,
                *block,
                weights,
                saliency,
            )
        return block[1] - block[0]

    _run_in_blocks(solve_block, num_rows, label, progress)
    if num_kept is None:
        return LocalRidge(neighbours, weights)
    return LocalRidge(np.where(weights != 0, neighbours, 0), weights, saliency)


def _run_in_blocks(
    process_block: Callable[[tuple[int, int]], int], num_rows: int, label: str, progress: Progress
) -> None:
    """Calls `process_block` for all blocks of rows, in threads; it returns the rows it finished."""
    with progress.task(label, num_rows) as advance, ThreadPoolExecutor(count_threads()) as pool:
        for num_finished in pool.map(process_block, split_into_blocks(0, num_rows)):
            advance(num_finished)


@njit(nogil=True, cache=True)
def _select_block(indptr, indices, data, counts, start, end, neighbours):  # type: ignore[no-untyped-def]
    """Fills `neighbours` of the items ``start..end``; see `select_neighbours`."""
    max_neighbours = neighbours.shape[1]
    for item in range(start, end):
        first, last = indptr[item], indptr[item + 1]
        negative_gain = np.empty(last - first, np.float32)
        for entry in range(first, last):
            negative_gain[entry - first] = -data[entry] * data[entry] / counts[indices[entry]]
        # Stable, so that equal gains keep the order of the ids on every machine.
        order = np.argsort(negative_gain, kind="mergesort")
        for position in range(min(max_neighbours, len(order))):
            neighbours[item, position] = indices[first + order[position]]


@njit(nogil=True, cache=True, inline="always")
def _build_system(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, item, position, matrix, target
):
    """Fills `matrix` and `target` with the normal equations of one item.

    `position` int32 [V + 1] is scratch space: -1 everywhere before and after.

    Returns:
        The number of the item's neighbours, which is the size of the system.
    """
    size = 0
    for neighbour in neighbours[item]:
        if neighbour > 0:
            position[neighbour] = size
            size += 1
    for row in range(size):
        target[row] = 0
        for column in range(size):
            matrix[row, column] = 0
    for entry in range(indptr[item], indptr[item + 1]):
        row = position[indices[entry]]
        if row >= 0:
            target[row] = data[entry]
    for neighbour in neighbours[item]:
        if neighbour > 0:
            row = position[neighbour]
            for entry in range(indptr[neighbour], indptr[neighbour + 1]):
                column = position[indices[entry]]
                if column >= 0:
                    # `max_entries` may have dropped the count of a pair on one side: set both.
                    matrix[row, column] = data[entry]
                    matrix[column, row] = data[entry]
            matrix[row, row] = diagonal[neighbour]
    for neighbour in neighbours[item]:
        if neighbour > 0:
            position[neighbour] = -1
    return size


@njit(nogil=True, cache=True, fastmath=True)
def _compute_cholesky(matrix, size):  # type: ignore[no-untyped-def]
    """Computes the lower Cholesky factor in place; False if not positive definite."""
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
def _solve_triangular(factor, size, right_side):  # type: ignore[no-untyped-def]
    """Solves L L^T x = `right_side` in place, with the Cholesky factor L."""
    for row in range(size):
        value = right_side[row]
        for inner in range(row):
            value -= factor[row, inner] * right_side[inner]
        right_side[row] = value / factor[row, row]
    for row in range(size - 1, -1, -1):
        right_side[row] /= factor[row, row]
        value = right_side[row]
        for inner in range(row):
            right_side[inner] -= factor[row, inner] * value


@njit(nogil=True, cache=True)
def _factorize_system(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, item, position, matrix, target
):
    """Builds and factorizes the system of one item; returns its size.

    Systems with dropped counts may be indefinite: the ridge is increased until they are not.
    """
    extra_ridge = 0.0
    while True:
        size = _build_system(
            indptr, indices, data, diagonal, neighbours, item, position, matrix, target
        )
        for row in range(size):
            matrix[row, row] *= 1 + extra_ridge
        if _compute_cholesky(matrix, size):
            return size
        extra_ridge = max(2 * extra_ridge, 0.05)


@njit(nogil=True, cache=True)
def _solve_block(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, start, end, weights
):
    """Fills `weights` of the items ``start..end`` with their exact ridge."""
    max_neighbours = neighbours.shape[1]
    position = np.full(len(diagonal), -1, np.int32)
    matrix = np.empty((max_neighbours, max_neighbours))
    target = np.empty(max_neighbours)
    for item in range(start, end):
        size = _factorize_system(
            indptr, indices, data, diagonal, neighbours, item, position, matrix, target
        )
        _solve_triangular(matrix, size, target)
        index = 0
        for column in range(max_neighbours):
            if neighbours[item, column] > 0:
                weights[item, column] = target[index]
                index += 1


@njit(nogil=True, cache=True, fastmath=True)
def _prune_block(  # type: ignore[no-untyped-def]
    indptr, indices, data, diagonal, neighbours, num_kept, start, end, weights, saliency
):
    """Fills `weights` and `saliency` of the items ``start..end``; see `prune_neighbours`."""
    max_neighbours = neighbours.shape[1]
    position = np.full(len(diagonal), -1, np.int32)
    matrix = np.empty((max_neighbours, max_neighbours))
    target = np.empty(max_neighbours)
    inverse = np.empty((max_neighbours, max_neighbours))
    column = np.empty(max_neighbours)
    for item in range(start, end):
        size = _factorize_system(
            indptr, indices, data, diagonal, neighbours, item, position, matrix, target
        )
        for index in range(size):
            column[:size] = 0
            column[index] = 1
            _solve_triangular(matrix, size, column)
            for other in range(size):
                inverse[other, index] = column[other]
        _solve_triangular(matrix, size, target)
        columns = np.empty(size, np.int64)
        num_columns = 0
        for candidate in range(max_neighbours):
            if neighbours[item, candidate] > 0:
                columns[num_columns] = candidate
                num_columns += 1
        is_active = np.ones(size, np.bool_)
        for num_active in range(size, 0, -1):
            if num_active == num_kept or (num_active == size and num_active < num_kept):
                for index in range(size):
                    if is_active[index]:
                        weights[item, columns[index]] = target[index]
            worst, smallest_loss = -1, 1e300
            for index in range(size):
                if is_active[index]:
                    loss = target[index] * target[index] / max(inverse[index, index], 1e-30)
                    if loss < smallest_loss:
                        worst, smallest_loss = index, loss
            pivot = inverse[worst, worst]
            for index in range(size):
                column[index] = inverse[index, worst]
            step = target[worst] / pivot
            for index in range(size):
                if is_active[index]:
                    target[index] -= step * column[index]
                    share = column[index] / pivot
                    for other in range(size):
                        inverse[index, other] -= share * column[other]
            is_active[worst] = False
            saliency[item, columns[worst]] = smallest_loss

"""EASE: a linear model of every item on all others, with a closed-form solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.errors import UserError
from kd_tf.evaluation.top_k import check_ids
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.progress import Advance, NullProgress, Progress

DEFAULT_REGULARIZATION = 100.0
REGULARIZATIONS = (30.0, 100.0, 300.0, 1000.0)
MAX_BYTES = 4 << 30
"""Maximum size of the dense matrix: 32,768 items. The time grows with the cube of the number of
items, so larger catalogs would take too long as well."""

_TUNING_ITEMS = 4000
_BLOCK_SIZE = 512


@dataclass(frozen=True)
class EASE:
    """Scores an item by the sum of the weights from the items of the history; see `fit`.

    Attributes:
        weights: float32 [V, V], entry (h, i) is what item h + 1 of the history adds to the score
            of item i + 1; the diagonal is zero. In C order, because SciPy copies other orders in
            every product.
        has_neighbours: bool [V], which items have any nonzero weight (the zeros are symmetric).
        regularization: The ridge that the weights were fitted with.
        name: Name in result tables.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import from_lists
        >>> weights = np.array([[0, 0.5, 0], [0.25, 0, 0], [0, 0, 0]], np.float32)
        >>> model = EASE(weights, weights.any(axis=0), regularization=100.0)
        >>> model.score(from_lists([[1], [3]]))
        array([[-inf,  0. ,  0.5, -inf],
               [-inf, -inf, -inf, -inf]], dtype=float32)
    """

    weights: np.ndarray
    has_neighbours: np.ndarray
    regularization: float
    name: str = "ease"

    @property
    def num_parameters(self) -> int:
        """Number of weights, V^2."""
        return self.weights.size

    @property
    def num_bytes(self) -> int:
        """Bytes that they take in memory."""
        return self.weights.nbytes + self.has_neighbours.nbytes

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 [n, V + 1].

        -inf for items without neighbours, and for histories of such items only.
        """
        num_items = len(self.weights)
        check_ids(histories, num_items)
        scores = np.full((len(histories), num_items + 1), -np.inf, np.float32)
        interactions = histories.to_csr_matrix(num_items)[:, 1:]
        scores[:, 1:] = interactions @ self.weights
        scores[:, 1:][:, ~self.has_neighbours] = -np.inf
        scores[interactions @ self.has_neighbours == 0] = -np.inf
        return scores


def fit(
    split: Split,
    *,
    regularization: float | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
) -> EASE:
    """Solves the ridge regression of every item on all others.

    With X the training histories and P = (X^T X + regularization I)^-1, the weights are
    B = I - P diag(1 / diag P): the matrix with a zero diagonal that reconstructs X best.
    Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019.

    Args:
        split: Its training part is used, and its validation part to tune `regularization`.
        regularization: The ridge, above 0. None tunes it over `REGULARIZATIONS` by NDCG@10 on the
            validation users, or takes `DEFAULT_REGULARIZATION` if there are none. Tuning uses the
            4,000 most popular items only, as it would otherwise cost more than the fit. Tuning on
            all items was .0003 better with 22,347 items, and made no difference with 10,000.
        max_bytes: Limit for one V x V float32 matrix, which is nearly all memory of the fit (1.04
            matrices measured with 8,000 items).
        progress: Reports progress per fit.

    Raises:
        UserError: The catalog is too large.
        ValueError: `regularization` is not above 0.
    """
    if regularization is not None and not regularization > 0:
        raise ValueError(f"regularization must be above 0, not {regularization}")
    matrix_bytes = 4 * split.num_items**2
    if matrix_bytes > max_bytes:
        raise UserError(
            f"{split.num_items:,} items need a dense matrix of {matrix_bytes / 2**30:.1f} GiB; the "
            f"limit is {max_bytes / 2**30:.1f} GiB",
            hint="Remove rare items (min_item_interactions), or leave out this baseline.",
        )
    tunes = regularization is None and len(split.validation.histories) > 0
    with (progress or NullProgress()).task("ease", 1 + len(REGULARIZATIONS) * tunes) as advance:
        if regularization is None:
            regularization = (
                _choose_regularization(split, advance) if tunes else DEFAULT_REGULARIZATION
            )
        model = _fit_model(compute_gram(split.train.to_csr_matrix(split.num_items)), regularization)
        advance()
    return model


def _choose_regularization(split: Split, advance: Advance) -> float:
    """Returns the regularization with the best NDCG@10, among the most popular items only."""
    items = np.sort(np.argsort(-split.popularity()[1:], kind="stable")[:_TUNING_ITEMS]) + 1
    new_ids = np.zeros(split.num_items + 1, np.int32)
    new_ids[items] = np.arange(1, len(items) + 1)
    gram = compute_gram(_map_items(split.train, new_ids).to_csr_matrix(len(items)))
    histories = _map_items(split.validation.histories, new_ids)
    targets = _map_items(split.validation.targets, new_ids)
    rows = np.flatnonzero((histories.lengths > 0) & (targets.lengths > 0))
    if not len(rows):
        advance(len(REGULARIZATIONS))
        return DEFAULT_REGULARIZATION
    validation = HeldOutSet(histories.take(rows), targets.take(rows), split.validation.users[rows])
    ndcg = {}
    for regularization in REGULARIZATIONS:
        model = _fit_model(gram.copy(order="F"), regularization)
        ndcg[regularization] = ValidationMetric(validation, len(items))(model.score)
        advance()
    return max(ndcg, key=lambda regularization: ndcg[regularization])


def _map_items(histories: Histories, new_ids: np.ndarray) -> Histories:
    """Replaces the item ids of histories by `new_ids` [V + 1] and drops items that become 0."""
    items = new_ids[histories.items]
    return Histories(items, histories.offsets, histories.weights).keep(items > 0)


def compute_gram(matrix: sparse.csr_array) -> np.ndarray:
    """Computes the Gram matrix X^T X without padding.

    Args:
        matrix: X, CSR [n, V + 1].

    Returns:
        float32 [V, V] in Fortran order, because LAPACK copies other orders.
    """
    matrix = matrix[:, 1:].tocsr()
    num_items = matrix.shape[1]
    transpose = matrix.T.tocsr()
    gram = np.empty((num_items, num_items), np.float32, order="F")
    for start in range(0, num_items, _BLOCK_SIZE):
        block = slice(start, start + _BLOCK_SIZE)
        gram[:, block] = (transpose[block] @ matrix).toarray().T
    return gram


def _fit_model(gram: np.ndarray, regularization: float) -> EASE:
    """Solves the weights in the memory of `gram`."""
    weights = solve_weights(gram, regularization)
    return EASE(weights, np.any(weights, axis=0), regularization)


def solve_weights(gram: np.ndarray, regularization: float) -> np.ndarray:
    """Solves the weights B from the Gram matrix X^T X (see `fit`), in its memory.

    Args:
        gram: float32 [V, V] in Fortran order; overwritten.
        regularization: The ridge.

    Returns:
        float32 [V, V] in C order.

    Raises:
        ValueError: The regularized matrix is singular.
    """
    num_items = len(gram)
    gram[np.diag_indices(num_items)] += regularization
    gram, info = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if not info:
        gram, info = lapack.spotri(gram, lower=1, overwrite_c=1)
    if info:
        raise ValueError(f"the matrix of {num_items} items cannot be inverted (LAPACK: {info})")
    diagonal = gram.diagonal().copy()
    # LAPACK fills only the lower triangle.
    for start in range(0, num_items, _BLOCK_SIZE):
        end = min(start + _BLOCK_SIZE, num_items)
        gram[start:end, end:] = gram[end:, start:end].T
        block = gram[start:end, start:end]
        block[:] = np.tril(block) + np.tril(block, -1).T
    # The inverse is symmetric, so its transpose is the same matrix in C order.
    weights = gram.T
    weights /= -diagonal
    weights[np.diag_indices(num_items)] = 0
    return weights

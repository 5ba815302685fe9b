"""A linear model of every book by all others, in closed form: EASE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.errors import UserError
from kd_tf.evaluate.top_k import check_ids
from kd_tf.evaluate.validation import ValidationMetric
from kd_tf.progress import Advance, NullProgress, Progress

DEFAULT_REGULARIZATION = 100.0
REGULARIZATIONS = (30.0, 100.0, 300.0, 1000.0)
MAX_BYTES = 4 << 30
"""32,768 books: with more the time, which grows as the cube of them, becomes too long as well."""

_TUNING_ITEMS = 4000
_BLOCK_SIZE = 512


@dataclass(frozen=True)
class EASE:
    """Scores a book by the weights that the books of the history give it, added up; see `fit`.

    Attributes:
        weights: float32 [V, V], entry (h, c) is what book h + 1 of the history adds to the score
            of book c + 1; the diagonal is zero. In C order: SciPy would copy any other whenever it
            multiplies.
        related: bool [V], which books have any weight; weights are zero both ways or none.
        penalty: The ridge that they were fitted with.
        name: How tables call it.
    """

    weights: np.ndarray
    has_neighbours: np.ndarray
    regularization: float
    name: str = "ease"

    @property
    def num_parameters(self) -> int:
        return self.weights.size

    @property
    def num_bytes(self) -> int:
        return self.weights.nbytes + self.has_neighbours.nbytes

    def score(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1], -inf where the book, or every book of the history, is unrelated."""
        items = len(self.weights)
        check_ids(histories, items)
        scores = np.full((len(histories), items + 1), -np.inf, np.float32)
        read = histories.to_csr_matrix(items)[:, 1:]
        scores[:, 1:] = read @ self.weights
        scores[:, 1:][:, ~self.has_neighbours] = -np.inf
        scores[read @ self.has_neighbours == 0] = -np.inf
        return scores


def fit(
    split: Split,
    *,
    regularization: float | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
) -> EASE:
    """Solves the ridge regression of every book on all others.

    With X the training histories and P = (X^T X + penalty I)^-1 the weights are
    B = I - P diag(1 / diag P): of all matrices with a zero diagonal the one that reproduces X best.
    Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019.

    Args:
        split: Its training part is learnt from.
        penalty: The ridge, above 0. None chooses one of `PENALTIES` by NDCG@10 on at most 1,000
            validation readers, among the 4,000 most read books where there are more (the choice
            would else cost more than the fit), or takes `DEFAULT_PENALTY` where nobody validates.
            Choosing among all of them was .0003 better with 22,347 books, and no other with 10,000.
        max_bytes: One matrix of V x V float32 must fit in; all else is small (1.04 matrices
            measured at 8,000 books).
        progress: Told of the fits.

    Raises:
        UserError: The catalogue is too large.
        ValueError: `penalty` is not above 0.
    """
    if regularization is not None and not regularization > 0:
        raise ValueError(f"penalty must be above 0, not {regularization}")
    needed = 4 * split.num_items**2
    if needed > max_bytes:
        raise UserError(
            f"{split.num_items:,} books need a dense matrix of {needed / 2**30:.1f} GiB, more than "
            f"{max_bytes / 2**30:.1f} GiB",
            hint="Clean away rarely read books (min_item_interactions), or leave this one out.",
        )
    chooses = regularization is None and len(split.validation.histories) > 0
    with (progress or NullProgress()).task("ease", 1 + len(REGULARIZATIONS) * chooses) as advance:
        if regularization is None:
            regularization = (
                _choose_regularization(split, advance) if chooses else DEFAULT_REGULARIZATION
            )
        model = _fit_model(compute_gram(split.train.to_csr_matrix(split.num_items)), regularization)
        advance()
    return model


def _choose_regularization(split: Split, advance: Advance) -> float:
    """The penalty that ranks the validation readers' books best, among the most read ones."""
    items = np.sort(np.argsort(-split.popularity()[1:], kind="stable")[:_TUNING_ITEMS]) + 1
    number = np.zeros(split.num_items + 1, np.int32)
    number[items] = np.arange(1, len(items) + 1)
    gram = compute_gram(_map_items(split.train, number).to_csr_matrix(len(items)))
    histories = _map_items(split.validation.histories, number)
    targets = _map_items(split.validation.targets, number)
    rows = np.flatnonzero((histories.lengths > 0) & (targets.lengths > 0))
    if not len(rows):
        advance(len(REGULARIZATIONS))
        return DEFAULT_REGULARIZATION
    validation = HeldOutSet(histories.take(rows), targets.take(rows), split.validation.users[rows])
    found = {}
    for penalty in REGULARIZATIONS:
        model = _fit_model(gram.copy(order="F"), penalty)
        found[penalty] = ValidationMetric(validation, len(items))(model.score)
        advance()
    return max(found, key=lambda one: found[one])


def _map_items(histories: Histories, number: np.ndarray) -> Histories:
    """The histories with other ids; those that become 0 go."""
    items = number[histories.items]
    return Histories(items, histories.offsets, histories.weights).keep(items > 0)


def compute_gram(matrix: sparse.csr_array) -> np.ndarray:
    """float32 [V, V] X^T X of CSR [n, V + 1] X, in Fortran order: LAPACK would copy any other."""
    matrix = matrix[:, 1:].tocsr()
    items = matrix.shape[1]
    transposed = matrix.T.tocsr()
    gram = np.empty((items, items), np.float32, order="F")
    for start in range(0, items, _BLOCK_SIZE):
        part = slice(start, start + _BLOCK_SIZE)
        gram[:, part] = (transposed[part] @ matrix).toarray().T
    return gram


def _fit_model(gram: np.ndarray, regularization: float) -> EASE:
    weights = solve_weights(gram, regularization)
    return EASE(weights, np.any(weights, axis=0), regularization)


def solve_weights(gram: np.ndarray, regularization: float) -> np.ndarray:
    """The weights from X^T X (see `fit`), in its memory: float32 [V, V] in C order."""
    items = len(gram)
    gram[np.diag_indices(items)] += regularization
    gram, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if not failed:
        gram, failed = lapack.spotri(gram, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(f"the matrix of {items} books cannot be inverted ({failed})")
    diagonal = gram.diagonal().copy()
    # LAPACK fills the lower half alone.
    for start in range(0, items, _BLOCK_SIZE):
        end = min(start + _BLOCK_SIZE, items)
        gram[start:end, end:] = gram[end:, start:end].T
        block = gram[start:end, start:end]
        block[:] = np.tril(block) + np.tril(block, -1).T
    # The inverse is symmetric: its transpose is itself, in C order.
    weights = gram.T
    weights /= -diagonal
    weights[np.diag_indices(items)] = 0
    return weights

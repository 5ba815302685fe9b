"""A linear model of every book by all others, in closed form: EASE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOut, Split
from kd_tf.errors import UserError
from kd_tf.evaluate.chooser import Chooser
from kd_tf.evaluate.top_k import check_ids
from kd_tf.progress import Advance, Progress, Silent

DEFAULT_PENALTY = 100.0
PENALTIES = (30.0, 100.0, 300.0, 1000.0)
MAX_BYTES = 4 << 30
"""32,768 books: with more the time, which grows as the cube of them, becomes too long as well."""

_CHOICE_BOOKS = 4000
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Ease:
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
    related: np.ndarray
    penalty: float
    name: str = "ease"

    @property
    def parameters(self) -> int:
        return self.weights.size

    @property
    def bytes(self) -> int:
        return self.weights.nbytes + self.related.nbytes

    def scores(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1], -inf where the book, or every book of the history, is unrelated."""
        books = len(self.weights)
        check_ids(histories, books)
        scores = np.full((len(histories), books + 1), -np.inf, np.float32)
        read = histories.matrix(books)[:, 1:]
        scores[:, 1:] = read @ self.weights
        scores[:, 1:][:, ~self.related] = -np.inf
        scores[read @ self.related == 0] = -np.inf
        return scores


def fit(
    split: Split,
    *,
    penalty: float | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
) -> Ease:
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
    if penalty is not None and not penalty > 0:
        raise ValueError(f"penalty must be above 0, not {penalty}")
    needed = 4 * split.books**2
    if needed > max_bytes:
        raise UserError(
            f"{split.books:,} books need a dense matrix of {needed / 2**30:.1f} GiB, more than "
            f"{max_bytes / 2**30:.1f} GiB",
            hint="Clean away rarely read books (min_item_interactions), or leave this one out.",
        )
    chooses = penalty is None and len(split.validation.histories) > 0
    with (progress or Silent()).task("ease", 1 + len(PENALTIES) * chooses) as advance:
        if penalty is None:
            penalty = _chosen(split, advance) if chooses else DEFAULT_PENALTY
        model = _model(gram_of(split.train.matrix(split.books)), penalty)
        advance()
    return model


def _chosen(split: Split, advance: Advance) -> float:
    """The penalty that ranks the validation readers' books best, among the most read ones."""
    books = np.sort(np.argsort(-split.popularity()[1:], kind="stable")[:_CHOICE_BOOKS]) + 1
    number = np.zeros(split.books + 1, np.int32)
    number[books] = np.arange(1, len(books) + 1)
    gram = gram_of(_renumbered(split.train, number).matrix(len(books)))
    histories = _renumbered(split.validation.histories, number)
    targets = _renumbered(split.validation.targets, number)
    rows = np.flatnonzero((histories.lengths > 0) & (targets.lengths > 0))
    if not len(rows):
        advance(len(PENALTIES))
        return DEFAULT_PENALTY
    validation = HeldOut(histories.take(rows), targets.take(rows), split.validation.readers[rows])
    found = {}
    for penalty in PENALTIES:
        model = _model(gram.copy(order="F"), penalty)
        found[penalty] = Chooser(validation, len(books))(model.scores)
        advance()
    return max(found, key=lambda one: found[one])


def _renumbered(histories: Histories, number: np.ndarray) -> Histories:
    """The histories with other ids; those that become 0 go."""
    items = number[histories.items]
    return Histories(items, histories.offsets, histories.weights).keep(items > 0)


def gram_of(matrix: sparse.csr_array) -> np.ndarray:
    """float32 [V, V] X^T X of CSR [n, V + 1] X, in Fortran order: LAPACK would copy any other."""
    matrix = matrix[:, 1:].tocsr()
    books = matrix.shape[1]
    transposed = matrix.T.tocsr()
    gram = np.empty((books, books), np.float32, order="F")
    for start in range(0, books, _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        gram[:, part] = (transposed[part] @ matrix).toarray().T
    return gram


def _model(gram: np.ndarray, penalty: float) -> Ease:
    weights = solved(gram, penalty)
    return Ease(weights, np.any(weights, axis=0), penalty)


def solved(gram: np.ndarray, penalty: float) -> np.ndarray:
    """The weights from X^T X (see `fit`), in its memory: float32 [V, V] in C order."""
    books = len(gram)
    gram[np.diag_indices(books)] += penalty
    gram, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if not failed:
        gram, failed = lapack.spotri(gram, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(f"the matrix of {books} books cannot be inverted ({failed})")
    diagonal = gram.diagonal().copy()
    # LAPACK fills the lower half alone.
    for start in range(0, books, _ROWS_AT_ONCE):
        end = min(start + _ROWS_AT_ONCE, books)
        gram[start:end, end:] = gram[end:, start:end].T
        block = gram[start:end, start:end]
        block[:] = np.tril(block) + np.tril(block, -1).T
    # The inverse is symmetric: its transpose is itself, in C order.
    weights = gram.T
    weights /= -diagonal
    weights[np.diag_indices(books)] = 0
    return weights

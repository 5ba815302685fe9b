"""A linear model of every book by all others, in closed form: EASE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOut, Split
from kd_tf.errors import UserError
from kd_tf.evaluate.baselines.choosing import ndcg_of
from kd_tf.evaluate.top_k import check_ids
from kd_tf.progress import Advance, Progress, Silent

DEFAULT_PENALTY = 100.0
PENALTIES = (30.0, 100.0, 300.0, 1000.0)
MAX_BYTES = 8 << 30

_CHOICE_BOOKS = 4000
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Ease:
    """Scores a book by the weights that the books of the history give it, added up; see `fit`.

    Attributes:
        weights: float32 [V, V], entry (h, c) is what book h + 1 of the history adds to the score
            of book c + 1; the diagonal is zero.
        penalty: The ridge that they were fitted with.
        name: How tables call it.
    """

    weights: np.ndarray
    penalty: float
    name: str = "ease"

    @property
    def parameters(self) -> int:
        return self.weights.size

    @property
    def bytes(self) -> int:
        return self.weights.nbytes

    def scores(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1]; an empty history scores all books 0."""
        books = len(self.weights)
        check_ids(histories, books)
        scores = np.empty((len(histories), books + 1), np.float32)
        scores[:, 0] = -np.inf
        scores[:, 1:] = histories.matrix(books)[:, 1:] @ self.weights
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
        max_bytes: Two matrices of V x V float32 must fit in.
        progress: Told of the fits.

    Raises:
        UserError: The catalogue is too large.
    """
    needed = 8 * split.books**2
    if needed > max_bytes:
        raise UserError(
            f"{split.books:,} books need {needed / 2**30:.0f} GiB for two dense matrices, more "
            f"than {max_bytes / 2**30:.0f} GiB",
            hint="Clean away rarely read books (min_item_interactions), or leave this one out.",
        )
    chooses = penalty is None and len(split.validation.histories) > 0
    with (progress or Silent()).task("ease", 1 + len(PENALTIES) * chooses) as advance:
        if penalty is None:
            penalty = _chosen(split, advance) if chooses else DEFAULT_PENALTY
        weights = _weights(_gram(split.train, split.books), penalty)
        advance()
    return Ease(weights, penalty)


def _chosen(split: Split, advance: Advance) -> float:
    """The penalty that ranks the validation readers' books best, among the most read ones."""
    books = np.sort(np.argsort(-split.popularity()[1:], kind="stable")[:_CHOICE_BOOKS]) + 1
    number = np.zeros(split.books + 1, np.int32)
    number[books] = np.arange(1, len(books) + 1)
    gram = _gram(_renumbered(split.train, number), len(books))
    histories = _renumbered(split.validation.histories, number)
    targets = _renumbered(split.validation.targets, number)
    rows = np.flatnonzero(targets.lengths > 0)
    validation = HeldOut(histories.take(rows), targets.take(rows), split.validation.readers[rows])
    found = {}
    for penalty in PENALTIES:
        model = Ease(_weights(gram.copy(order="F"), penalty), penalty)
        found[penalty] = ndcg_of(model.scores, validation)
        advance()
    return max(found, key=lambda one: found[one])


def _renumbered(histories: Histories, number: np.ndarray) -> Histories:
    """The histories with other ids; those that become 0 go."""
    items = number[histories.items]
    kept = items > 0
    row = np.repeat(np.arange(len(histories)), histories.lengths)[kept]
    lengths = np.bincount(row, minlength=len(histories))
    weights = None if histories.weights is None else histories.weights[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(items[kept], offsets, weights)


def _gram(histories: Histories, books: int) -> np.ndarray:
    """float32 [V, V] X^T X, column-major, in place for LAPACK."""
    matrix = histories.matrix(books)[:, 1:].tocsr()
    transposed = matrix.T.tocsr()
    gram = np.empty((books, books), np.float32, order="F")
    for start in range(0, books, _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        gram[:, part] = (transposed[part] @ matrix).toarray().T
    return gram


def _weights(gram: np.ndarray, penalty: float) -> np.ndarray:
    """float32 [V, V] from X^T X, which is overwritten."""
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
    gram /= -diagonal
    gram[np.diag_indices(books)] = 0
    return gram

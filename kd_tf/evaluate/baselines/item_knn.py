"""Books read by the same readers: item-based nearest neighbours with cosine similarity."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from implicit.nearest_neighbours import CosineRecommender
from implicit.utils import ParameterWarning
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluate.top_k import check_ids

NEIGHBOURS = 50
"""How many neighbours a book keeps: in the middle of what the literature uses (20 to 200), set
once and not tuned, so that the baseline stays the same from one data set to the next."""


@dataclass(frozen=True)
class ItemKNN:
    """Scores a book by its similarity to the books of the history, added up; see `fit`.

    Attributes:
        similarity: float32 CSR [V + 1, V + 1], row i holds the neighbours of book i and not
            book i itself; row and column 0 are empty.
        name: How tables call it.
    """

    similarity: sparse.csr_array
    name: str = "item-knn"

    @property
    def parameters(self) -> int:
        return self.similarity.nnz

    @property
    def bytes(self) -> int:
        matrix = self.similarity
        return matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes

    def rank(self, histories: Histories, k: int) -> np.ndarray:
        """int32 [n, k], highest score first, equal ones by id.

        Only neighbours of the history are ranked, so a row ends in zeros where there are fewer
        than k: a book about which nothing is known is not recommended.

        Raises:
            ValueError: A history holds an id outside 1..V.
        """
        books = self.similarity.shape[0] - 1
        check_ids(histories, books)
        # implicit's own `recommend` is not used: when it runs out of neighbours it fills up with
        # -1 and with books of the history, and it breaks ties as its heap happens to.
        scores = (_rows(histories, books) @ self.similarity).tocoo()
        reader, book, score = scores.row.astype(np.int64), scores.col, scores.data
        key = reader * (books + 1) + book
        own = np.repeat(np.arange(len(histories)), histories.lengths) * (books + 1)
        unread = ~np.isin(key, own + histories.items)
        reader, book, score = reader[unread], book[unread], score[unread]

        order = np.lexsort((book, -score, reader))
        reader, book = reader[order], book[order]
        position = np.arange(len(reader)) - np.searchsorted(reader, reader)
        kept = position < k
        ranked = np.zeros((len(histories), k), np.int32)
        ranked[reader[kept], position[kept]] = book[kept]
        return ranked


def fit(split: Split, neighbours: int = NEIGHBOURS) -> ItemKNN:
    """Finds each book's most similar books in the training histories of `split`.

    The similarity of two books is the cosine of their sets of training readers: readers of both
    over the root of the product of their reader counts.
    Source: Sarwar et al., "Item-based collaborative filtering recommendation algorithms", 2001;
    the search is that of the library implicit, on all cores.

    Args:
        split: Only its training part is looked at.
        neighbours: How many other books a book keeps, at least 1.

    Raises:
        ValueError: `neighbours` is below 1.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours must be 1 or more, not {neighbours}")
    # For implicit every book is also its own nearest neighbour: one more is asked for, and the
    # book itself taken out.
    model = CosineRecommender(K=neighbours + 1, num_threads=0)
    with warnings.catch_warnings():
        # implicit warns of a conversion that its own cosine weighting makes necessary.
        warnings.simplefilter("ignore", ParameterWarning)
        model.fit(sparse.csr_matrix(_rows(split.train, split.books)), show_progress=False)
    found = model.similarity.tocoo()
    other = (found.row != found.col) & (found.data > 0)
    similarity = sparse.csr_array(
        (found.data[other].astype(np.float32), (found.row[other], found.col[other])),
        shape=found.shape,
    )
    return ItemKNN(similarity)


def _rows(histories: Histories, books: int) -> sparse.csr_array:
    """float64 [n, V + 1], 1 where the book stands in the history, however often."""
    reader = np.repeat(np.arange(len(histories)), histories.lengths)
    rows = sparse.csr_array(
        (np.ones(len(reader)), (reader, histories.items)), shape=(len(histories), books + 1)
    )
    rows.data[:] = 1
    return rows

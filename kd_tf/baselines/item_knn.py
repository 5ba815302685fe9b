"""Books read by the same readers: item-based nearest neighbours."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, ItemItemRecommender
from implicit.utils import ParameterWarning
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluate.top_k import check_ids

NUM_NEIGHBOURS = 20
"""How many neighbours a book keeps, as published figures have it; not tuned, so that the baseline
stays the same from one data set to the next."""

Side = Literal["candidate", "history"]


@dataclass(frozen=True)
class ItemKNN:
    """Scores a book by its similarity to the books of the history, added up; see `fit`.

    Attributes:
        similarity: float32 CSR [V + 1, V + 1]; entry (h, c) is what book h of the history adds
            to the score of candidate c. Row and column 0 and the diagonal are empty.
        name: How tables call it.
    """

    item_similarity: sparse.csr_array
    name: str

    @property
    def num_parameters(self) -> int:
        return self.item_similarity.nnz

    @property
    def num_bytes(self) -> int:
        matrix = self.item_similarity
        return matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes

    def score(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1], -inf for books without a neighbour in the history."""
        items = self.item_similarity.shape[0] - 1
        check_ids(histories, items)
        found = histories.to_csr_matrix(items) @ self.item_similarity
        scores = np.full(found.shape, -np.inf, np.float32)
        found = found.tocoo()
        scores[found.row, found.col] = found.data
        return scores


def fit(
    split: Split,
    *,
    weighting: Literal["cosine", "bm25"] = "cosine",
    side: Side = "candidate",
    num_neighbours: int = NUM_NEIGHBOURS,
) -> ItemKNN:
    """Finds each book's most similar books in the training histories of `split`.

    With ``cosine`` the similarity of two books is that of their sets of training readers: readers
    of both over the root of the product of their reader counts (Sarwar et al., "Item-based
    collaborative filtering recommendation algorithms", 2001). With ``bm25`` it is the product of
    their columns weighted by Okapi BM25 with K1 = 1.2 and B = 0.75 (Robertson and Zaragoza, "The
    probabilistic relevance framework: BM25 and beyond", 2009), weights of histories included.

    Published figures differ in who keeps the nearest books. On the ``candidate`` side each
    candidate keeps its own nearest ones and adds up those of them that are in the history, so
    that every book can be recommended; on the ``history`` side each book of the history keeps its
    nearest ones and proposes those. Which of several equally near ones are kept at the border is
    up to the library implicit, which searches; it is the same on every run.

    Args:
        split: Only its training part is looked at.
        weighting: The similarity.
        side: Who keeps the nearest books.
        neighbours: How many other books a book keeps, at least 1.

    Raises:
        ValueError: `neighbours` is below 1.
    """
    if num_neighbours < 1:
        raise ValueError(f"neighbours must be 1 or more, not {num_neighbours}")
    histories = split.train
    model: ItemItemRecommender
    # For implicit every book is also its own nearest neighbour: one more is asked for, and the
    # book itself taken out.
    if weighting == "bm25":
        model = BM25Recommender(K=num_neighbours + 1, K1=1.2, B=0.75, num_threads=0)
        matrix = histories.to_csr_matrix(split.num_items)
    else:
        model = CosineRecommender(K=num_neighbours + 1, num_threads=0)
        matrix = Histories(histories.items, histories.offsets).to_csr_matrix(split.num_items)
    with warnings.catch_warnings():
        # implicit warns of a conversion that its own weighting makes necessary.
        warnings.simplefilter("ignore", ParameterWarning)
        model.fit(sparse.csr_matrix(matrix.astype(np.float64)), show_progress=False)
    found = model.similarity.tocoo()
    other = (found.row != found.col) & (found.data > 0)
    owner, near, data = found.row[other], found.col[other], found.data[other].astype(np.float32)
    place = _select_top(owner, data, num_neighbours)
    owner, near, data = owner[place], near[place], data[place]
    entries = (near, owner) if side == "candidate" else (owner, near)
    name = "item-knn" + "-bm25" * (weighting == "bm25") + "-history" * (side == "history")
    return ItemKNN(sparse.csr_array((data, entries), shape=found.shape), name)


def _select_top(owner: np.ndarray, similarity: np.ndarray, num_neighbours: int) -> np.ndarray:
    """The entries of the `neighbours` most similar ones of each owner.

    A book that shares all its readers with many others need not be among its own nearest ones:
    then one neighbour too many is left.
    """
    order = np.lexsort((-similarity, owner))
    ordered = owner[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return order[place < num_neighbours]

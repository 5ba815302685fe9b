"""The item-based nearest-neighbour baseline: items of the same users are similar."""

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
from kd_tf.evaluation.top_k import check_ids

NUM_NEIGHBOURS = 20
"""Neighbours of an item, as in published results. Not tuned, so that the baseline is the same on
all data sets."""

Side = Literal["candidate", "history"]
"""Which item of a pair keeps its nearest neighbours: the scored one or the one in the history."""


@dataclass(frozen=True)
class ItemKNN:
    """Scores an item by the sum of its similarities to the items of the history; see `fit`.

    Attributes:
        item_similarity: float32 CSR [V + 1, V + 1]; entry (h, i) is what item h of the history
            adds to the score of item i. Row and column 0 and the diagonal are empty.
        name: Name in result tables.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> from kd_tf.data.histories import from_lists
        >>> similarity = np.array([[0, 0, 0, 0], [0, 0, 0.5, 0], [0, 0.5, 0, 0.2], [0, 0, 0.2, 0]])
        >>> model = ItemKNN(sparse.csr_array(similarity.astype(np.float32)), name="item-knn")
        >>> model.score(from_lists([[1, 3]]))
        array([[-inf, -inf,  0.7, -inf]], dtype=float32)
    """

    item_similarity: sparse.csr_array
    name: str

    @property
    def num_parameters(self) -> int:
        """Number of stored similarities."""
        return int(self.item_similarity.nnz)

    @property
    def num_bytes(self) -> int:
        """Bytes that they take in memory."""
        matrix = self.item_similarity
        return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 [n, V + 1], -inf for items without a neighbour in the history."""
        num_items = self.item_similarity.shape[0] - 1
        check_ids(histories, num_items)
        sums = (histories.to_csr_matrix(num_items) @ self.item_similarity).tocoo()
        scores = np.full(sums.shape, -np.inf, np.float32)
        scores[sums.row, sums.col] = sums.data
        return scores


def fit(
    split: Split,
    *,
    weighting: Literal["cosine", "bm25"] = "cosine",
    side: Side = "candidate",
    num_neighbours: int = NUM_NEIGHBOURS,
) -> ItemKNN:
    """Finds the most similar items of each item in the training histories.

    With ``cosine`` the similarity of two items is the number of users who have both, divided by
    the root of the product of their numbers of users (Sarwar et al., "Item-based collaborative
    filtering recommendation algorithms", 2001). With ``bm25`` it is the dot product of their
    columns weighted by Okapi BM25 with K1 = 1.2 and B = 0.75 (Robertson and Zaragoza, "The
    probabilistic relevance framework: BM25 and beyond", 2009); interaction weights are included.

    Published results differ in which side keeps its neighbours. With ``candidate`` each scored
    item has its own neighbours, and those in the history are summed, so every item can be
    recommended. With ``history`` each item of the history has its neighbours and proposes them.
    The library implicit decides which of equally similar items are kept; its choice is the same
    in every run.

    Args:
        split: Only its training part is used.
        weighting: The similarity.
        side: Which item of a pair keeps its neighbours.
        num_neighbours: Neighbours of an item, at least 1.

    Raises:
        ValueError: `num_neighbours` is below 1.
    """
    if num_neighbours < 1:
        raise ValueError(f"num_neighbours must be at least 1, not {num_neighbours}")
    histories = split.train
    model: ItemItemRecommender
    # implicit counts every item as its own nearest neighbour: request one more and remove it below.
    if weighting == "bm25":
        model = BM25Recommender(K=num_neighbours + 1, K1=1.2, B=0.75, num_threads=0)
        matrix = histories.to_csr_matrix(split.num_items)
    else:
        model = CosineRecommender(K=num_neighbours + 1, num_threads=0)
        matrix = Histories(histories.items, histories.offsets).to_csr_matrix(split.num_items)
    with warnings.catch_warnings():
        # implicit warns about a type conversion that its own weighting causes.
        warnings.simplefilter("ignore", ParameterWarning)
        model.fit(sparse.csr_matrix(matrix.astype(np.float64)), show_progress=False)
    similarity = model.similarity.tocoo()
    is_neighbour = (similarity.row != similarity.col) & (similarity.data > 0)
    item, neighbour = similarity.row[is_neighbour], similarity.col[is_neighbour]
    values = similarity.data[is_neighbour].astype(np.float32)
    top_entries = _select_top(item, values, num_neighbours)
    item, neighbour, values = item[top_entries], neighbour[top_entries], values[top_entries]
    entries = (neighbour, item) if side == "candidate" else (item, neighbour)
    name = "item-knn" + "-bm25" * (weighting == "bm25") + "-history" * (side == "history")
    return ItemKNN(sparse.csr_array((values, entries), shape=similarity.shape), name)


def _select_top(item: np.ndarray, similarity: np.ndarray, num_neighbours: int) -> np.ndarray:
    """Selects the entries of the `num_neighbours` most similar neighbours of each item.

    An item that shares all its users with many others may not be among its own nearest neighbours
    in implicit. Then it has one neighbour too many.

    Args:
        item: [E], the item of each entry.
        similarity: [E].
        num_neighbours: Neighbours of an item.

    Returns:
        Indices of the selected entries, sorted by item and descending similarity.
    """
    order = np.lexsort((-similarity, item))
    sorted_items = item[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_items, sorted_items)
    return order[rank < num_neighbours]

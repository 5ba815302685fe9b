"""What all lists together show: how much of the catalogue, how alike, how unexpected."""

from __future__ import annotations

import numpy as np
from scipy import sparse

MAX_DIVERSITY_USERS = 1000
"""Diversity is measured on at most this many readers, drawn by a fixed seed."""

_DIVERSITY_SEED = 42
_DIVERSITY_BLOCK = 128  # lists whose summed reader-sets are in memory at once


def compute_coverage(ranked: np.ndarray, num_items: int) -> float:
    """Share of the catalogue, 0..1, that stands in at least one list.

    Args:
        ranked: int32 [n, k], model ids; 0 is no recommendation.
        books: V.
    """
    shown = np.unique(ranked)
    return float(np.count_nonzero(shown) / num_items)


def compute_gini(ranked: np.ndarray, num_items: int) -> float:
    """How unequally the books share the places of all lists: 0 all alike, towards 1 a few only.

    The Gini index of the V books' counts c, sorted upwards: sum over j of (2 j - V - 1) c_j, over
    V times the sum of c; 0 where nothing is recommended. The index of a single book is 0.
    Source: Gini, "Variabilità e mutabilità", 1912; for recommenders Fleder and Hosanagar,
    "Blockbuster culture's next rise or fall", 2009.

    Args:
        ranked: int32 [n, k], model ids; 0 is no recommendation.
        books: V.
    """
    counts = np.sort(np.bincount(ranked.ravel(), minlength=num_items + 1)[1:]).astype(np.float64)
    total = counts.sum()
    if not total:
        return 0.0
    rank = np.arange(1, num_items + 1)
    return float(((2 * rank - num_items - 1) * counts).sum() / (num_items * total))


def compute_diversity(ranked: np.ndarray, item_user_matrix: sparse.csr_array) -> float:
    """How little the books of a list share their readers: mean of 1 - cosine over their pairs.

    The cosine of two books is taken between their sets of training readers; a book that nobody
    read is unlike every other. The mean is over the pairs of a list, then over the readers whose
    list has a pair (0 where none has). Of more than `DIVERSITY_READERS` readers that many are
    drawn, the same ones for every model.
    Source: intra-list similarity of Ziegler et al., "Improving Recommendation Lists Through Topic
    Diversification", 2005, with collaborative instead of topic similarity.

    Args:
        ranked: int32 [n, k], model ids; 0 is no recommendation.
        readers_of_book: [V + 1, training readers], 1 where the reader read the book; row 0 is
            empty.
    """
    if len(ranked) > MAX_DIVERSITY_USERS:
        random = np.random.default_rng(_DIVERSITY_SEED)
        ranked = ranked[np.sort(random.choice(len(ranked), MAX_DIVERSITY_USERS, replace=False))]
    ranked = ranked[np.count_nonzero(ranked, axis=1) >= 2]
    if not len(ranked):
        return 0.0
    popularity = np.diff(item_user_matrix.indptr)
    length = np.sqrt(np.maximum(popularity, 1))
    cosine_with_itself = popularity > 0

    # With u_i the reader-set of book i scaled to length 1, the cosines of all pairs of a list
    # add up to (|sum of u_i|^2 - sum of |u_i|^2) / 2: no pair is ever formed, and what is in
    # memory is the readers of the lists' books, whatever V is.
    cosines = np.empty(len(ranked))
    for start in range(0, len(ranked), _DIVERSITY_BLOCK):
        lists = ranked[start : start + _DIVERSITY_BLOCK]
        row, column = np.nonzero(lists)
        item = lists[row, column]
        selects = sparse.csr_array(
            (1 / length[item], (row, item)), shape=(len(lists), len(popularity))
        )
        sums = selects @ item_user_matrix
        squared = sums.multiply(sums).sum(axis=1)
        cosines[start : start + len(lists)] = squared - cosine_with_itself[lists].sum(axis=1)
    shown = np.count_nonzero(ranked, axis=1)
    # Rounding alone can take the cosine of equal reader-sets past 1 by some 1e-16.
    return float(np.clip(1 - cosines / (shown * (shown - 1)), 0, 1).mean())


def compute_novelty(ranked: np.ndarray, popularity: np.ndarray, num_users: int) -> float:
    """How unexpected the recommended books are: mean self-information in bits.

    A book that the share p of the training readers read has -log2(p). One that nobody read
    counts as read by one of one reader more, -log2(1 / (readers + 1)), so that it stays finite
    and above all others. The mean is over the books of a list, then over the readers whose list
    has a book (0 where none has).
    Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender
    systems", 2010.

    Args:
        ranked: int32 [n, k], model ids; 0 is no recommendation.
        popularity: int64 [V + 1], in how many training histories each id stands.
        readers: How many training readers there are.
    """
    shown = np.count_nonzero(ranked, axis=1)
    if not shown.any():
        return 0.0
    information = np.log2(num_users) - np.log2(np.maximum(popularity, 1))
    information[popularity == 0] = np.log2(num_users + 1)
    information[0] = 0
    return float((information[ranked].sum(axis=1)[shown > 0] / shown[shown > 0]).mean())

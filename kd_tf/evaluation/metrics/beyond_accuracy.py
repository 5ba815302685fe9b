"""Metrics of all lists together: coverage, Gini index, diversity and novelty."""

from __future__ import annotations

import numpy as np
from scipy import sparse

MAX_DIVERSITY_USERS = 1000
"""Maximum number of users to measure diversity on, sampled with a fixed seed."""

_DIVERSITY_SEED = 42
_DIVERSITY_BLOCK = 128  # lists whose summed user vectors are in memory at once


def compute_coverage(ranked_items: np.ndarray, num_items: int) -> float:
    """Computes the share of the catalog, 0..1, that is in at least one list.

    Args:
        ranked_items: int32 [n, k], model ids; 0 is padding.
        num_items: V.
    """
    recommended_items = np.unique(ranked_items)
    return float(np.count_nonzero(recommended_items) / num_items)


def compute_gini(ranked_items: np.ndarray, num_items: int) -> float:
    """Computes how unequally items are recommended: 0 equally, towards 1 only a few items.

    The Gini index of the counts c of the V items, in ascending order: the sum over j of
    (2 j - V - 1) c_j, divided by V times the sum of c; 0 where nothing is recommended, and 0 for
    a single item.
    Source: Gini, "Variabilità e mutabilità", 1912; for recommenders Fleder and Hosanagar,
    "Blockbuster culture's next rise or fall", 2009.

    Args:
        ranked_items: int32 [n, k], model ids; 0 is padding.
        num_items: V.
    """
    counts = np.sort(np.bincount(ranked_items.ravel(), minlength=num_items + 1)[1:]).astype(
        np.float64
    )
    total = counts.sum()
    if not total:
        return 0.0
    rank = np.arange(1, num_items + 1)
    return float(((2 * rank - num_items - 1) * counts).sum() / (num_items * total))


def compute_diversity(ranked_items: np.ndarray, item_user_matrix: sparse.csr_array) -> float:
    """Computes the mean dissimilarity, 1 - cosine, of the pairs of items in a list.

    The cosine of two items is that of their training users; an item without training users has
    cosine 0 with every other. The mean is over the pairs of a list, then over the users whose list
    has a pair (0 where none has). Of more than `MAX_DIVERSITY_USERS` users that many are sampled,
    the same ones for every model.
    Source: intra-list similarity of Ziegler et al., "Improving Recommendation Lists Through Topic
    Diversification", 2005, with collaborative instead of topic similarity.

    Args:
        ranked_items: int32 [n, k], model ids; 0 is padding.
        item_user_matrix: [V + 1, training users], 1 where the user has the item; row 0 is empty.
    """
    if len(ranked_items) > MAX_DIVERSITY_USERS:
        random = np.random.default_rng(_DIVERSITY_SEED)
        ranked_items = ranked_items[
            np.sort(random.choice(len(ranked_items), MAX_DIVERSITY_USERS, replace=False))
        ]
    ranked_items = ranked_items[np.count_nonzero(ranked_items, axis=1) >= 2]
    if not len(ranked_items):
        return 0.0
    popularity = np.diff(item_user_matrix.indptr)
    length = np.sqrt(np.maximum(popularity, 1))
    cosine_with_itself = popularity > 0

    # With u_i the vector of users of item i, scaled to length 1, the cosines of all pairs of a
    # list sum to (|sum of u_i|^2 - sum of |u_i|^2) / 2. So no pair is formed, and memory depends
    # on the users of the lists' items only, not on V.
    cosines = np.empty(len(ranked_items))
    for start in range(0, len(ranked_items), _DIVERSITY_BLOCK):
        lists = ranked_items[start : start + _DIVERSITY_BLOCK]
        row, column = np.nonzero(lists)
        item = lists[row, column]
        selects = sparse.csr_array(
            (1 / length[item], (row, item)), shape=(len(lists), len(popularity))
        )
        sums = selects @ item_user_matrix
        squared_sums = sums.multiply(sums).sum(axis=1)
        cosines[start : start + len(lists)] = squared_sums - cosine_with_itself[lists].sum(axis=1)
    counts = np.count_nonzero(ranked_items, axis=1)
    # Rounding can lift the cosine of equal vectors above 1 by about 1e-16.
    return float(np.clip(1 - cosines / (counts * (counts - 1)), 0, 1).mean())


def compute_novelty(ranked_items: np.ndarray, popularity: np.ndarray, num_users: int) -> float:
    """Computes the mean self-information of the recommended items, in bits.

    An item of the share p of the training users has -log2(p). An item without training users has
    -log2(1 / (num_users + 1)), as if one additional user had it, which is finite and above all
    others. The mean is over the items of a list, then over the users whose list has an item (0
    where none has).
    Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender
    systems", 2010.

    Args:
        ranked_items: int32 [n, k], model ids; 0 is padding.
        popularity: int64 [V + 1], number of training histories with each item.
        num_users: Number of training users.
    """
    counts = np.count_nonzero(ranked_items, axis=1)
    if not counts.any():
        return 0.0
    information = np.log2(num_users) - np.log2(np.maximum(popularity, 1))
    information[popularity == 0] = np.log2(num_users + 1)
    information[0] = 0
    return float((information[ranked_items].sum(axis=1)[counts > 0] / counts[counts > 0]).mean())

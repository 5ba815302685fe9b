"""How good ranked lists are: hits per reader, and what all lists together show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories

PER_READER = ("ndcg", "recall", "precision", "f1", "hit_rate", "mrr")
"""Metrics with one figure a reader, best 1, worst 0."""

OVER_ALL = ("coverage", "diversity", "novelty")
"""Metrics with one figure for the lists of all readers."""

DIVERSITY_READERS = 1000
"""Diversity is measured on at most this many readers, drawn by a fixed seed."""

_DIVERSITY_SEED = 42
_DIVERSITY_BLOCK = 128  # lists whose summed reader-sets are in memory at once


def per_reader(ranked: np.ndarray, targets: Histories, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Compares each reader's list with the books that were held out.

    Relevance is binary: held out or not. A 0 in `ranked` is no recommendation and a miss.

    - ``ndcg@k``: gain 1, discount log2(rank + 1), over the DCG of min(k, held-out) hits in front.
    - ``recall@k``: hits / min(k, held-out), so that 1 can always be reached. This is the capped
      recall of Liang et al., "Variational Autoencoders for Collaborative Filtering", 2018;
      libraries that divide by all held-out books show lower figures.
    - ``precision@k``: hits / k.
    - ``f1@k``: the harmonic mean of the two above, 0 without a hit.
    - ``hit_rate@k``: 1 with a hit, else 0.
    - ``mrr@k``: 1 / rank of the first hit, 0 without a hit in the first k.

    Args:
        ranked: int32 [n, k_max], model ids best first.
        targets: The n readers' held-out books, at least one each.
        ks: Cut-offs, 1..k_max.

    Returns:
        float64 [n] by name, for example ``"ndcg@10"``.

    Raises:
        ValueError: Shapes do not fit, a list names a book twice, or a reader has no held-out
            book, one of them twice, or one that is no id.
    """
    _check_lists(ranked, ks)
    held_out = targets.lengths
    if len(targets) != len(ranked):
        raise ValueError(f"{len(ranked)} lists, but the targets of {len(targets)} readers")
    if np.any(held_out < 1):
        raise ValueError(f"reader row {int(held_out.argmin())} has no held-out book")
    if targets.items.min(initial=1) < 1:
        raise ValueError(f"held-out ids must be 1 or above, not {targets.items.min()}")

    hits = _hits(ranked, targets)
    discount = 1 / np.log2(np.arange(2, ranked.shape[1] + 2))
    # Running sums on both sides: a perfect list is exactly 1, and a reader's figure does not
    # depend on who else is measured, as the last bit of a BLAS product does.
    gained, ideal = np.cumsum(hits * discount, axis=1), np.cumsum(discount)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1), ranked.shape[1])
    measured = {}
    for k in ks:
        reachable = np.minimum(k, held_out)
        found = hits[:, :k].sum(axis=1)
        recall, precision = found / reachable, found / k
        measured[f"ndcg@{k}"] = gained[:, k - 1] / ideal[reachable - 1]
        measured[f"recall@{k}"] = recall
        measured[f"precision@{k}"] = precision
        # 2 p r / (p + r), written so that no hits give 0 and not 0 / 0
        measured[f"f1@{k}"] = 2 * found / (k + reachable)
        measured[f"hit_rate@{k}"] = (found > 0).astype(np.float64)
        measured[f"mrr@{k}"] = np.where(first < k, 1 / (first + 1), 0.0)
    return measured


def coverage(ranked: np.ndarray, books: int) -> float:
    """Share of the catalogue, 0..1, that stands in at least one list.

    Args:
        ranked: int32 [n, k], model ids; 0 is no recommendation.
        books: V.
    """
    shown = np.unique(ranked)
    return float(np.count_nonzero(shown) / books)


def diversity(ranked: np.ndarray, readers_of_book: sparse.csr_array) -> float:
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
    if len(ranked) > DIVERSITY_READERS:
        random = np.random.default_rng(_DIVERSITY_SEED)
        ranked = ranked[np.sort(random.choice(len(ranked), DIVERSITY_READERS, replace=False))]
    ranked = ranked[np.count_nonzero(ranked, axis=1) >= 2]
    if not len(ranked):
        return 0.0
    popularity = np.diff(readers_of_book.indptr)
    length = np.sqrt(np.maximum(popularity, 1))
    cosine_with_itself = popularity > 0

    # With u_i the reader-set of book i scaled to length 1, the cosines of all pairs of a list
    # add up to (|sum of u_i|^2 - sum of |u_i|^2) / 2: no pair is ever formed, and what is in
    # memory is the readers of the lists' books, whatever V is.
    cosines = np.empty(len(ranked))
    for start in range(0, len(ranked), _DIVERSITY_BLOCK):
        lists = ranked[start : start + _DIVERSITY_BLOCK]
        row, column = np.nonzero(lists)
        book = lists[row, column]
        selects = sparse.csr_array(
            (1 / length[book], (row, book)), shape=(len(lists), len(popularity))
        )
        sums = selects @ readers_of_book
        squared = sums.multiply(sums).sum(axis=1)
        cosines[start : start + len(lists)] = squared - cosine_with_itself[lists].sum(axis=1)
    shown = np.count_nonzero(ranked, axis=1)
    # Rounding alone can take the cosine of equal reader-sets past 1 by some 1e-16.
    return float(np.clip(1 - cosines / (shown * (shown - 1)), 0, 1).mean())


def novelty(ranked: np.ndarray, popularity: np.ndarray, readers: int) -> float:
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
    information = np.log2(readers) - np.log2(np.maximum(popularity, 1))
    information[popularity == 0] = np.log2(readers + 1)
    information[0] = 0
    return float((information[ranked].sum(axis=1)[shown > 0] / shown[shown > 0]).mean())


def has_duplicate(ranked: np.ndarray) -> np.ndarray:
    """bool [n]: an id other than 0 stands twice in the row of int [n, k]."""
    ordered = np.sort(ranked, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != 0)
    return np.any(twice, axis=1)


def _check_lists(ranked: np.ndarray, ks: Sequence[int]) -> None:
    if ranked.ndim != 2 or not np.issubdtype(ranked.dtype, np.integer):
        raise ValueError(f"ranked must be int32 [n, k], not {ranked.dtype} {list(ranked.shape)}")
    if not ks or min(ks) < 1 or max(ks) > ranked.shape[1]:
        raise ValueError(f"cut-offs must be in 1..{ranked.shape[1]}, not {list(ks)}")
    if ranked.size and ranked.min() < 0:
        raise ValueError("ranked ids must be 0 or above")
    twice = has_duplicate(ranked)
    if twice.any():
        raise ValueError(f"reader row {int(twice.argmax())} is recommended the same book twice")


def _hits(ranked: np.ndarray, targets: Histories) -> np.ndarray:
    """bool [n, k]: the recommendation is among the reader's held-out books."""
    # One number for each pair of reader and book turns the test into a search in a sorted array.
    width = int(max(ranked.max(initial=0), targets.items.max(initial=0))) + 1
    reader = np.arange(len(ranked), dtype=np.int64)
    held = np.sort(np.repeat(reader, targets.lengths) * width + targets.items)
    twice = held[1:] == held[:-1]
    if twice.any():
        row, book = divmod(int(held[twice.argmax()]), width)
        raise ValueError(f"book {book} is held out twice from reader row {row}")
    wanted = reader[:, None] * width + ranked
    position = np.searchsorted(held, wanted)
    # Padding is never found: no held-out id is 0.
    return held[np.minimum(position, len(held) - 1)] == wanted

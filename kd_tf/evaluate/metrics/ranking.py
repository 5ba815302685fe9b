"""How good ranked lists are, one figure a reader: 1 is best, 0 is worst."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kd_tf.data.histories import Histories

RANKING_METRICS = (
    "ndcg",
    "recall",
    "recall_capped",
    "precision",
    "f1",
    "hit_rate",
    "mrr",
    "map",
)


def compute_ranking_metrics(
    ranked: np.ndarray, targets: Histories, ks: Sequence[int]
) -> dict[str, np.ndarray]:
    """Compares each reader's list with the books that were held out.

    Relevance is binary: held out or not. A 0 in `ranked` is no recommendation and a miss.

    - ``ndcg@k``: gain 1, discount log2(rank + 1), over the DCG of min(k, held-out) hits in front.
      Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002.
    - ``recall@k``: hits / held-out, as most libraries and papers have it. A reader with more than
      k held-out books cannot reach 1.
    - ``recall_capped@k``: hits / min(k, held-out), so that 1 can always be reached. Liang et al.,
      "Variational Autoencoders for Collaborative Filtering", 2018.
    - ``precision@k``: hits / k.
    - ``f1@k``: the harmonic mean of ``precision@k`` and ``recall@k``, 0 without a hit.
    - ``hit_rate@k``: 1 with a hit, else 0.
    - ``mrr@k``: 1 / rank of the first hit, 0 without a hit in the first k.
    - ``map@k``: the precision at the rank of each hit in the first k, added up, / held-out: the
      average precision of trec_eval. Some competitions divide by min(k, held-out) instead.

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

    hit = find_hits(ranked, targets)
    discount = 1 / np.log2(np.arange(2, ranked.shape[1] + 2))
    # Running sums on both sides: a perfect list is exactly 1, and a reader's figure does not
    # depend on who else is measured, as the last bit of a BLAS product does.
    gained, ideal = np.cumsum(hit * discount, axis=1), np.cumsum(discount)
    first = np.where(hit.any(axis=1), hit.argmax(axis=1), ranked.shape[1])
    found_so_far = np.cumsum(hit, axis=1)
    ranks = np.arange(1, ranked.shape[1] + 1)
    precisions = np.cumsum(hit * found_so_far / ranks, axis=1)
    measured = {}
    for k in ks:
        reachable = np.minimum(k, held_out)
        found = found_so_far[:, k - 1]
        measured[f"ndcg@{k}"] = gained[:, k - 1] / ideal[reachable - 1]
        measured[f"recall@{k}"] = found / held_out
        measured[f"recall_capped@{k}"] = found / reachable
        measured[f"precision@{k}"] = found / k
        # 2 p r / (p + r), written so that no hits give 0 and not 0 / 0
        measured[f"f1@{k}"] = 2 * found / (k + held_out)
        measured[f"map@{k}"] = precisions[:, k - 1] / held_out
        measured[f"hit_rate@{k}"] = (found > 0).astype(np.float64)
        measured[f"mrr@{k}"] = np.where(first < k, 1 / (first + 1), 0.0)
    return measured


def has_duplicates(ranked: np.ndarray) -> np.ndarray:
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
    twice = has_duplicates(ranked)
    if twice.any():
        raise ValueError(f"reader row {int(twice.argmax())} is recommended the same book twice")


def find_hits(ranked: np.ndarray, targets: Histories) -> np.ndarray:
    """bool [n, k]: the recommendation is among the reader's held-out books."""
    # One number for each pair of reader and book turns the test into a search in a sorted array.
    width = int(max(ranked.max(initial=0), targets.items.max(initial=0))) + 1
    user = np.arange(len(ranked), dtype=np.int64)
    held = np.sort(np.repeat(user, targets.lengths) * width + targets.items)
    twice = held[1:] == held[:-1]
    if twice.any():
        row, item = divmod(int(held[twice.argmax()]), width)
        raise ValueError(f"book {item} is held out twice from reader row {row}")
    wanted = user[:, None] * width + ranked
    position = np.searchsorted(held, wanted)
    # Padding is never found: no held-out id is 0.
    return held[np.minimum(position, len(held) - 1)] == wanted

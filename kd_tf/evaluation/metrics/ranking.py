"""Ranking metrics of each user, such as NDCG and recall: 1 is best, 0 is worst."""

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
"""Names of the metrics that `compute_ranking_metrics` returns, without ``@k``."""


def compute_ranking_metrics(
    ranked_items: np.ndarray, targets: Histories, ks: Sequence[int]
) -> dict[str, np.ndarray]:
    """Computes the ranking metrics of each user's list against the held-out items.

    Relevance is binary: held out or not. A 0 in `ranked_items` is padding and counts as a miss.

    - ``ndcg@k``: DCG with gain 1 and discount log2(rank + 1), divided by the DCG of an ideal list
      with min(k, held-out) hits in front.
      Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002.
    - ``recall@k``: hits / held-out, as in most libraries and papers. A user with more than k
      held-out items cannot reach 1.
    - ``recall_capped@k``: hits / min(k, held-out), which can always reach 1. Liang et al.,
      "Variational Autoencoders for Collaborative Filtering", 2018.
    - ``precision@k``: hits / k.
    - ``f1@k``: the harmonic mean of ``precision@k`` and ``recall@k``, 0 without a hit.
    - ``hit_rate@k``: 1 with a hit, else 0.
    - ``mrr@k``: 1 / rank of the first hit, 0 without a hit in the first k.
    - ``map@k``: the sum of the precisions at the rank of each hit in the first k, / held-out: the
      average precision of trec_eval. Some competitions divide by min(k, held-out) instead.

    Args:
        ranked_items: int32 [n, k_max], model ids, best first.
        targets: The held-out items of the n users, at least one each.
        ks: Cut-offs, 1..k_max.

    Returns:
        float64 [n] by name, for example ``"ndcg@10"``.

    Raises:
        ValueError: Shapes do not match, a list has an item twice, or a user has no held-out item,
            a held-out item twice, or one that is not an id.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import from_lists
        >>> metrics = compute_ranking_metrics(np.array([[3, 1, 2]]), from_lists([[1, 5]]), [1, 3])
        >>> {name: values.item() for name, values in metrics.items() if name.startswith("recall@")}
        {'recall@1': 0.0, 'recall@3': 0.5}
    """
    _check_lists(ranked_items, ks)
    num_targets = targets.lengths
    if len(targets) != len(ranked_items):
        raise ValueError(f"{len(ranked_items)} lists, but the targets of {len(targets)} users")
    if np.any(num_targets < 1):
        raise ValueError(f"user row {int(num_targets.argmin())} has no held-out item")
    if targets.items.min(initial=1) < 1:
        raise ValueError(f"held-out ids must be 1 or above, not {targets.items.min()}")

    is_hit = find_hits(ranked_items, targets)
    discount = 1 / np.log2(np.arange(2, ranked_items.shape[1] + 2))
    # Running sums, not matrix products: a perfect list is exactly 1, and the last bit of a user's
    # metric does not depend on the other rows, as it does in BLAS.
    dcg, ideal_dcg = np.cumsum(is_hit * discount, axis=1), np.cumsum(discount)
    first = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1), ranked_items.shape[1])
    hit_counts = np.cumsum(is_hit, axis=1)
    ranks = np.arange(1, ranked_items.shape[1] + 1)
    precisions = np.cumsum(is_hit * hit_counts / ranks, axis=1)
    metrics = {}
    for k in ks:
        max_hits = np.minimum(k, num_targets)
        hits = hit_counts[:, k - 1]
        metrics[f"ndcg@{k}"] = dcg[:, k - 1] / ideal_dcg[max_hits - 1]
        metrics[f"recall@{k}"] = hits / num_targets
        metrics[f"recall_capped@{k}"] = hits / max_hits
        metrics[f"precision@{k}"] = hits / k
        # 2 p r / (p + r), written so that no hits give 0 and not 0 / 0
        metrics[f"f1@{k}"] = 2 * hits / (k + num_targets)
        metrics[f"map@{k}"] = precisions[:, k - 1] / num_targets
        metrics[f"hit_rate@{k}"] = (hits > 0).astype(np.float64)
        metrics[f"mrr@{k}"] = np.where(first < k, 1 / (first + 1), 0.0)
    return metrics


def has_duplicates(ranked_items: np.ndarray) -> np.ndarray:
    """Returns bool [n]: whether a row of int [n, k] has an id other than 0 twice."""
    ordered_items = np.sort(ranked_items, axis=1)
    is_repeat = (ordered_items[:, 1:] == ordered_items[:, :-1]) & (ordered_items[:, 1:] != 0)
    return np.asarray(np.any(is_repeat, axis=1))


def _check_lists(ranked_items: np.ndarray, ks: Sequence[int]) -> None:
    """Raises ValueError where the lists or cut-offs are invalid."""
    if ranked_items.ndim != 2 or not np.issubdtype(ranked_items.dtype, np.integer):
        raise ValueError(
            f"ranked_items must be int32 [n, k], not {ranked_items.dtype} "
            f"{list(ranked_items.shape)}"
        )
    if not ks or min(ks) < 1 or max(ks) > ranked_items.shape[1]:
        raise ValueError(f"cut-offs must be in 1..{ranked_items.shape[1]}, not {list(ks)}")
    if ranked_items.size and ranked_items.min() < 0:
        raise ValueError("ranked ids must be 0 or above")
    has_repeat = has_duplicates(ranked_items)
    if has_repeat.any():
        raise ValueError(f"the list of user row {int(has_repeat.argmax())} has an item twice")


def find_hits(ranked_items: np.ndarray, targets: Histories) -> np.ndarray:
    """Returns bool [n, k]: whether each recommendation is a held-out item of its user.

    Raises:
        ValueError: A user has a held-out item twice.
    """
    # Encoding each user-item pair as one number allows a search in one sorted array.
    width = int(max(ranked_items.max(initial=0), targets.items.max(initial=0))) + 1
    user = np.arange(len(ranked_items), dtype=np.int64)
    target_keys = np.sort(np.repeat(user, targets.lengths) * width + targets.items)
    is_repeat = target_keys[1:] == target_keys[:-1]
    if is_repeat.any():
        row, item = divmod(int(target_keys[is_repeat.argmax()]), width)
        raise ValueError(f"item {item} is held out twice for user row {row}")
    ranked_keys = user[:, None] * width + ranked_items
    position = np.searchsorted(target_keys, ranked_keys)
    # Padding is never a hit: no held-out id is 0.
    return np.asarray(target_keys[np.minimum(position, len(target_keys) - 1)] == ranked_keys)

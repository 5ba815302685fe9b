"""Counts item co-occurrences: how many users any two items share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse

from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories
from kd_tf.models.closed_form.parallel import count_threads, split_into_blocks
from kd_tf.progress import Progress

USER_WEIGHT_POWER = -0.25
"""A user's weight is (history length) ** this: hundreds of items say less about any two of them."""

MAX_ENTRIES = 100_000_000
"""Maximum number of stored counts, 0.8 GB. With larger catalogs each item keeps only the counts of
its strongest neighbours."""

MIN_NEIGHBOURS = 100
"""Minimum number of neighbours kept for each item, however large the catalog is."""

_MAX_GROUP_SIZE = 200
"""Authors and series with more items are ignored: they are placeholders ("Various", "Unknown")."""


@dataclass(frozen=True)
class CoOccurrence:
    """The Gram matrix X^T X of the training histories, with weighted users.

    Attributes:
        gram: float32 CSR [V + 1, V + 1] with sorted columns: the weighted number of users who
            have both items. Row and column 0 and the diagonal are empty.
        item_counts: float32 [V + 1], the diagonal: the weighted number of users of each item, 0
            for padding.
        mean_weight: Mean weight of an interaction. Multiply a ridge that is given in users by
            this, so that 30 means 30 users on any data set.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> gram = sparse.csr_array(np.array([[0, 0, 0], [0, 0, 2], [0, 2, 0]], np.float32))
        >>> pairs = CoOccurrence(gram, np.array([0, 3, 2], np.float32), mean_weight=1.0)
        >>> pairs.num_items
        2
    """

    gram: sparse.csr_array
    item_counts: np.ndarray
    mean_weight: float

    @property
    def num_items(self) -> int:
        """V, the number of items."""
        return len(self.item_counts) - 1


def count_co_occurrences(
    histories: Histories,
    num_items: int,
    *,
    low_rated: Histories | None = None,
    max_entries: int = MAX_ENTRIES,
    progress: Progress,
) -> CoOccurrence:
    """Counts the weighted users of every pair of items.

    Items are processed one by one, so no dense V x V matrix is allocated. If there would be more
    than `max_entries` counts, each item keeps the neighbours that explain most of it on their own
    (the largest g^2 / count, the ranking of `fit_local_ridge`).

    Args:
        histories: Histories of the training users. Interaction weights are used where present.
        num_items: V.
        low_rated: More items of the same users, with the same weight (`Split.low_rated`).
        max_entries: Maximum number of stored counts.
        progress: Reports progress per item.

    Returns:
        The co-occurrence counts.

    Raises:
        ValueError: There are 2**31 counts or more.
    """
    interactions = histories.to_csr_matrix(num_items)
    if low_rated is not None:
        interactions = sparse.csr_array(interactions.maximum(low_rated.to_csr_matrix(num_items)))
    interactions = sparse.csr_array(
        (
            interactions.data,
            interactions.indices.astype(np.int32),
            interactions.indptr.astype(np.int64),
        ),
        shape=interactions.shape,
    )
    lengths = np.maximum(np.diff(interactions.indptr), 1)
    user_weights = (lengths.astype(np.float64) ** (2 * USER_WEIGHT_POWER)).astype(np.float32)
    by_item = interactions.T.tocsr()
    item_offsets = by_item.indptr.astype(np.int64)
    item_counts = np.zeros(num_items + 1, np.float32)
    np.add.at(
        item_counts,
        interactions.indices,
        user_weights[_expand_row_numbers(interactions.indptr)] * interactions.data**2,
    )
    max_neighbours = min(num_items, max(max_entries // max(num_items, 1), MIN_NEIGHBOURS))

    def count_block(block: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        counts: tuple[np.ndarray, np.ndarray, np.ndarray] = _count_block(
            item_offsets,
            by_item.indices.astype(np.int32),
            by_item.data.astype(np.float32),
            interactions.indptr,
            interactions.indices,
            interactions.data,
            user_weights,
            item_counts,
            *block,
            max_neighbours,
        )
        return counts

    parts = []
    with (
        progress.task("co-occurrence counts", num_items) as advance,
        ThreadPoolExecutor(count_threads()) as pool,
    ):
        for part in pool.map(count_block, split_into_blocks(1, num_items + 1)):
            parts.append(part)
            advance(len(part[0]))
    row_lengths = np.concatenate([[0], *(part[0] for part in parts)])
    if row_lengths.sum() >= 2**31:
        raise ValueError(
            f"{row_lengths.sum()} co-occurrence counts are too many: use a smaller max_entries"
        )
    gram = sparse.csr_array(
        (
            np.concatenate([part[2] for part in parts]),
            np.concatenate([part[1] for part in parts]),
            # SciPy widens the column ids to the type of the offsets: int32 saves 4 bytes a count.
            np.concatenate([[0], np.cumsum(row_lengths)]).astype(np.int32),
        ),
        shape=(num_items + 1, num_items + 1),
    )
    total = float(interactions.data.astype(np.float64).sum())
    mean_weight = float(item_counts.sum(dtype=np.float64)) / max(total, 1.0)
    return CoOccurrence(gram, item_counts, mean_weight)


def add_shared_features(pairs: CoOccurrence, catalog: Catalog, weight: float) -> CoOccurrence:
    """Counts items of one author or one series as if more users had read both.

    Items with few users borrow users from other items of their author. This is the side
    information of Jeunen, van Balen & Goethals, "Closed-form models for collaborative filtering
    with side-information" (CEASE, 2020), restricted to exact matches of authors and series.

    Args:
        pairs: Co-occurrence counts.
        catalog: V items; items without authors and series are not changed.
        weight: How many users one shared author or series is worth; 0 changes nothing.

    Returns:
        The counts plus `weight` times `CoOccurrence.mean_weight` for every author and series that
        two items share (on the diagonal: for every author and series of the item).
    """
    if not weight:
        return pairs
    shared_features = count_shared_features(catalog)
    if not shared_features.nnz:
        return pairs
    scaled_weight = np.float32(weight * pairs.mean_weight)
    diagonal = shared_features.diagonal()
    shared_features.setdiag(0)
    shared_features.eliminate_zeros()
    gram = sparse.csr_array(pairs.gram + shared_features * scaled_weight)
    gram.sort_indices()
    return CoOccurrence(gram, pairs.item_counts + diagonal * scaled_weight, pairs.mean_weight)


def count_shared_features(catalog: Catalog) -> sparse.csr_array:
    """Counts the authors and series that any two items have in common.

    Only the first two authors of an item count. Groups of one item, and of more than 200, are
    ignored.

    Args:
        catalog: V items.

    Returns:
        float32 CSR [V + 1, V + 1].
    """
    feature_ids: dict[tuple[str, str], int] = {}
    rows, columns = [], []
    frame = catalog.frame
    for name in ("authors", "series"):
        if name not in frame.columns:
            continue
        for item, text in enumerate(frame[name], 1):
            # Author lists start with the most important authors.
            values = (text or "").split(",")[:2] if name == "authors" else [text or ""]
            for value in {value.strip().casefold() for value in values} - {""}:
                rows.append(item)
                columns.append(feature_ids.setdefault((name, value), len(feature_ids)))
    features = sparse.csr_array(
        (
            np.ones(len(rows), np.float32),
            # int32 arrays: lists would become int64, in the sum with the Gram matrix as well.
            (np.array(rows, np.int32), np.array(columns, np.int32)),
        ),
        shape=(len(catalog) + 1, max(len(feature_ids), 1)),
    )
    group_size = np.bincount(columns, minlength=features.shape[1])
    features = features[:, (group_size >= 2) & (group_size <= _MAX_GROUP_SIZE)]
    return sparse.csr_array(features @ features.T)


def _expand_row_numbers(indptr: np.ndarray) -> np.ndarray:
    """Returns the row number of each entry of a CSR matrix."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


@njit(nogil=True, cache=True)
def _count_block(  # type: ignore[no-untyped-def]
    item_offsets,
    users,
    item_values,
    user_offsets,
    items,
    user_values,
    user_weights,
    item_counts,
    start,
    end,
    max_neighbours,
):
    """Counts the co-occurrences of the items ``start..end``.

    Args:
        item_offsets: int64 [V + 2], offsets of each item's entries in `users`.
        users: int32 [E], the users of each item.
        item_values: float32 [E], interaction weights, in the order of `users`.
        user_offsets: int64 [n + 1], offsets of each user's entries in `items`.
        items: int32 [E], the items of each user.
        user_values: float32 [E], interaction weights, in the order of `items`.
        user_weights: float32 [n].
        item_counts: float32 [V + 1].
        start: First item.
        end: One past the last item.
        max_neighbours: How many neighbours an item keeps at most.

    Returns:
        Row lengths int64 [end - start], and the column ids int32 and counts float32 of all rows,
        each row sorted by column.
    """
    num_rows = len(item_counts)
    pair_counts = np.zeros(num_rows, np.float32)
    candidates = np.empty(num_rows, np.int32)
    last_seen_by = np.full(num_rows, -1, np.int32)
    lengths = np.zeros(end - start, np.int64)
    capacity = 1024
    columns = np.empty(capacity, np.int32)
    values = np.empty(capacity, np.float32)
    size = 0
    for item in range(start, end):
        num_candidates = 0
        for entry in range(item_offsets[item], item_offsets[item + 1]):
            user = users[entry]
            weight = user_weights[user] * item_values[entry]
            for other_entry in range(user_offsets[user], user_offsets[user + 1]):
                other = items[other_entry]
                if last_seen_by[other] != item:
                    last_seen_by[other] = item
                    candidates[num_candidates] = other
                    num_candidates += 1
                pair_counts[other] += weight * user_values[other_entry]
        pair_counts[item] = 0
        top_candidates = candidates[:num_candidates]
        if num_candidates > max_neighbours + 1:
            negative_gain = np.empty(num_candidates, np.float32)
            for index in range(num_candidates):
                other = top_candidates[index]
                negative_gain[index] = -(pair_counts[other] ** 2) / item_counts[other]
            top_candidates = top_candidates[
                np.argsort(negative_gain, kind="mergesort")[:max_neighbours]
            ]
        top_candidates = np.sort(top_candidates)
        if size + len(top_candidates) > capacity:
            capacity = max(2 * capacity, size + len(top_candidates))
            larger_columns = np.empty(capacity, np.int32)
            larger_values = np.empty(capacity, np.float32)
            larger_columns[:size] = columns[:size]
            larger_values[:size] = values[:size]
            columns, values = larger_columns, larger_values
        for other in top_candidates:
            if other != item and pair_counts[other] > 0:
                columns[size] = other
                values[size] = pair_counts[other]
                size += 1
                lengths[item - start] += 1
        for index in range(num_candidates):
            pair_counts[candidates[index]] = 0
    return lengths, columns[:size].copy(), values[:size].copy()

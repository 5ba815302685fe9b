"""Which books are read together: how many readers any two of them share."""

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
"""Readers weigh (books read) ** this: who read hundreds says less about any two of them."""

MAX_ENTRIES = 100_000_000
"""Shared-reader counts that are kept, 0.8 GB: catalogues that would have more keep, of every book,
only those with its strongest partners."""

MIN_NEIGHBOURS = 100
"""At least so many partners a book are kept, whatever the catalogue's size."""

_MAX_GROUP_SIZE = 200
"""An author or series of more books is no hint about any two of them ("Various", "Unknown")."""


@dataclass(frozen=True)
class CoOccurrence:
    """The Gram matrix of the training histories: X^T X with readers weighted.

    Attributes:
        gram: float32 CSR [V + 1, V + 1] with sorted columns: weighted readers who have both
            books. Row and column 0 and the diagonal are empty.
        counts: float32 [V + 1], the diagonal: weighted readers of each book, 0 for the padding.
        scale: Mean weight of an interaction. A ridge of 30 means 30 readers on any data only
            when it is multiplied by this.
    """

    gram: sparse.csr_array
    item_counts: np.ndarray
    mean_weight: float

    @property
    def num_items(self) -> int:
        """V."""
        return len(self.item_counts) - 1


def count_co_occurrences(
    histories: Histories,
    num_items: int,
    *,
    low_rated: Histories | None = None,
    max_entries: int = MAX_ENTRIES,
    progress: Progress,
) -> CoOccurrence:
    """Counts weighted readers of every pair of books, one book after the other.

    Nothing of size V x V is made. Where the counts would outgrow `max_entries`, every book keeps
    those partners that would explain most of it alone (g^2 / count, as `local_ridge` ranks them).

    Args:
        histories: Of the training readers; their weights, if any, count.
        books: V.
        also_read: More books of the same readers, which count as much (`Split.also_read`).
        max_entries: How many counts are kept at most.
        progress: Told of the books.
    """
    read = histories.to_csr_matrix(num_items)
    if low_rated is not None:
        read = sparse.csr_array(read.maximum(low_rated.to_csr_matrix(num_items)))
    read = sparse.csr_array(
        (read.data, read.indices.astype(np.int32), read.indptr.astype(np.int64)), shape=read.shape
    )
    length = np.maximum(np.diff(read.indptr), 1)
    power = (length.astype(np.float64) ** (2 * USER_WEIGHT_POWER)).astype(np.float32)
    by_item = read.T.tocsr()
    offsets = by_item.indptr.astype(np.int64)
    counts = np.zeros(num_items + 1, np.float32)
    np.add.at(counts, read.indices, power[_expand_row_numbers(read.indptr)] * read.data**2)
    width = min(num_items, max(max_entries // max(num_items, 1), MIN_NEIGHBOURS))

    def rows(start: int, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _count_block(
            offsets,
            by_item.indices.astype(np.int32),
            by_item.data.astype(np.float32),
            read.indptr,
            read.indices,
            read.data,
            power,
            counts,
            start,
            end,
            width,
        )

    found = []
    with (
        progress.task("books read together", num_items) as advance,
        ThreadPoolExecutor(count_threads()) as pool,
    ):
        for part in pool.map(lambda block: rows(*block), split_into_blocks(1, num_items + 1)):
            found.append(part)
            advance(len(part[0]))
    lengths = np.concatenate([[0], *(part[0] for part in found)])
    if lengths.sum() >= 2**31:
        raise ValueError(f"{lengths.sum()} counts are too many: give a smaller max_entries")
    gram = sparse.csr_array(
        (
            np.concatenate([part[2] for part in found]),
            np.concatenate([part[1] for part in found]),
            # SciPy widens the columns to the type of this: 4 bytes a count.
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        ),
        shape=(num_items + 1, num_items + 1),
    )
    total = float(read.data.astype(np.float64).sum())
    return CoOccurrence(gram, counts, float(counts.sum(dtype=np.float64)) / max(total, 1.0))


def add_shared_features(pairs: CoOccurrence, catalog: Catalog, weight: float) -> CoOccurrence:
    """Lets books of one author or one series count as if more readers had read both.

    A book that few have read so borrows from its author's others: the side information of Jeunen,
    van Balen & Goethals, "Closed-form models for collaborative filtering with side-information"
    (CEASE, 2020), restricted to what is exact on both sides.

    Args:
        pairs: What was counted.
        catalog: V books; those without authors and series borrow nothing.
        strength: How many readers one shared author or series is worth; 0 leaves all as it is.

    Returns:
        The same with `strength` times `scale` added for every author and series that two books
        share (and that a book has, on the diagonal).
    """
    if not weight:
        return pairs
    shared = count_shared_features(catalog)
    if not shared.nnz:
        return pairs
    worth = np.float32(weight * pairs.mean_weight)
    diagonal = shared.diagonal()
    shared.setdiag(0)
    shared.eliminate_zeros()
    gram = sparse.csr_array(pairs.gram + shared * worth)
    gram.sort_indices()
    return CoOccurrence(gram, pairs.item_counts + diagonal * worth, pairs.mean_weight)


def count_shared_features(catalog: Catalog) -> sparse.csr_array:
    """float32 CSR [V + 1, V + 1]: how many authors and series two books have in common."""
    numbers: dict[tuple[str, str], int] = {}
    rows, columns = [], []
    frame = catalog.frame
    for name in ("authors", "series"):
        if name not in frame.columns:
            continue
        for target, text in enumerate(frame[name], 1):
            # An author list names the most important ones first.
            parts = (text or "").split(",")[:2] if name == "authors" else [text or ""]
            for part in {one.strip().casefold() for one in parts} - {""}:
                rows.append(target)
                columns.append(numbers.setdefault((name, part), len(numbers)))
    has = sparse.csr_array(
        (
            np.ones(len(rows), np.float32),
            # Not lists, which become 8 bytes a number and make the sum's numbers as long.
            (np.array(rows, np.int32), np.array(columns, np.int32)),
        ),
        shape=(len(catalog) + 1, max(len(numbers), 1)),
    )
    size = np.bincount(columns, minlength=has.shape[1])
    has = has[:, (size >= 2) & (size <= _MAX_GROUP_SIZE)]
    return sparse.csr_array(has @ has.T)


def _expand_row_numbers(indptr: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


@njit(nogil=True, cache=True)
def _count_block(  # type: ignore[no-untyped-def]
    offsets, users, has, histories, items, weights, power, counts, start, end, width
):
    """Row lengths, columns and counts of the books `start` to `end`, each sorted by column."""
    num_items = len(counts)
    together = np.zeros(num_items, np.float32)
    seen = np.empty(num_items, np.int32)
    stamp = np.full(num_items, -1, np.int32)
    lengths = np.zeros(end - start, np.int64)
    size = 1024
    columns = np.empty(size, np.int32)
    values = np.empty(size, np.float32)
    filled = 0
    for target in range(start, end):
        partners = 0
        for place in range(offsets[target], offsets[target + 1]):
            user = users[place]
            weight = power[user] * has[place]
            for one in range(histories[user], histories[user + 1]):
                item = items[one]
                if stamp[item] != target:
                    stamp[item] = target
                    seen[partners] = item
                    partners += 1
                together[item] += weight * weights[one]
        together[target] = 0
        kept = seen[:partners]
        if partners > width + 1:
            gain = np.empty(partners, np.float32)
            for one in range(partners):
                gain[one] = -(together[kept[one]] ** 2) / counts[kept[one]]
            kept = kept[np.argsort(gain, kind="mergesort")[:width]]
        kept = np.sort(kept)
        if filled + len(kept) > size:
            size = max(2 * size, filled + len(kept))
            more_columns = np.empty(size, np.int32)
            more_values = np.empty(size, np.float32)
            more_columns[:filled] = columns[:filled]
            more_values[:filled] = values[:filled]
            columns, values = more_columns, more_values
        for item in kept:
            if item != target and together[item] > 0:
                columns[filled] = item
                values[filled] = together[item]
                filled += 1
                lengths[target - start] += 1
        for one in range(partners):
            together[seen[one]] = 0
    return lengths, columns[:filled].copy(), values[:filled].copy()

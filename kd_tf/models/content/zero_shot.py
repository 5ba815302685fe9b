"""A student of texts alone: its neighbours are the items with the most alike content."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.data.features.content import ContentFeatures
from kd_tf.errors import UserError
from kd_tf.models.closed_form.sparsify import select_top_targets
from kd_tf.models.content.kernel import ContentKernel
from kd_tf.models.students.neighbours import (
    NeighboursStudent,
    compute_max_entries,
    compute_packed_size,
)
from kd_tf.progress import Progress

PRIOR_SHARE = 1e-3
"""Prior of the item that is most like all others, relative to the strongest weight: it orders the
items that nothing in a history is like."""

_BLOCK_SIZE = 500


def build_zero_shot_student(
    content: ContentFeatures, *, max_length: int, max_bytes: int, progress: Progress
) -> NeighboursStudent:
    """Builds a neighbours student whose weights are similarities of content.

    Args:
        content: What the items are about.
        max_length: Length of the history, L.
        max_bytes: Bytes of the packed weights.
        progress: Reports the items.

    Raises:
        UserError: Not even one neighbour per item fits.
    """
    num_items = len(content)
    num_neighbours = min(compute_max_entries(num_items, max_bytes) // num_items, num_items - 1)
    if num_neighbours < 1:
        raise UserError(
            f"no student for {num_items:,} items fits into {max_bytes:,} bytes",
            where="student.max_bytes",
            hint=f"Allow at least {compute_packed_size(num_items, num_items):,} bytes.",
        )
    all_rows = np.arange(num_items)
    kernel = ContentKernel([block.vectors for block in content.blocks], all_rows)
    parts = []
    prior = np.zeros(num_items + 1, np.float32)
    with progress.task("comparing the content of items", num_items) as advance:
        for start in range(0, num_items, _BLOCK_SIZE):
            rows = all_rows[start : start + _BLOCK_SIZE]
            similarities = kernel.compute(rows, all_rows)
            similarities[np.arange(len(rows)), rows] = 0
            prior[rows + 1] = similarities.mean(axis=1)
            ids, weights = select_top_targets(sparse.csr_array(similarities), num_neighbours)
            is_entry = weights > 0
            row_of_entry = np.repeat(rows + 1, is_entry.sum(axis=1))
            parts.append((weights[is_entry], row_of_entry, ids[is_entry] + 1))
            advance(len(rows))
    # An item keeps its nearest ones as a candidate: whatever is like it can recommend it.
    weights, candidates, neighbours = map(np.concatenate, zip(*parts, strict=True))
    matrix = sparse.csr_array(
        (weights, (neighbours, candidates)), shape=(num_items + 1, num_items + 1)
    )
    scale = PRIOR_SHARE * float(weights.max(initial=0)) / max(float(prior.max()), 1e-9)
    return NeighboursStudent.from_matrix(matrix, max_length=max_length, prior=prior * scale)

"""A student of texts alone: its neighbours are the items with the most alike content."""

from __future__ import annotations

from kd_tf.data.features.content import ContentFeatures
from kd_tf.errors import UserError
from kd_tf.models.content.similarity_matrix import compute_similarity_matrix
from kd_tf.models.students.neighbours import (
    NeighboursStudent,
    compute_max_entries,
    compute_packed_size,
)
from kd_tf.progress import Progress

PRIOR_SHARE = 1e-3
"""Prior of the item that is most like all others, relative to the strongest weight: it orders the
items that nothing in a history is like."""


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
    matrix, mean = compute_similarity_matrix(content, num_neighbours, progress)
    scale = PRIOR_SHARE * float(matrix.max()) / max(float(mean.max()), 1e-9)
    return NeighboursStudent.from_matrix(matrix, max_length=max_length, prior=mean * scale)

"""The most alike items of every item, as an item-item matrix."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.data.features.content import ContentFeatures
from kd_tf.models.content.kernel import ContentKernel
from kd_tf.progress import Progress

_BLOCK_SIZE = 500


def compute_similarity_matrix(
    content: ContentFeatures, max_weights: int, progress: Progress
) -> tuple[sparse.csr_array, np.ndarray]:
    """Computes how alike the content of items is.

    Args:
        content: What the V items are about.
        max_weights: Weights of each scored item that are kept, the largest ones: whatever is like
            an item can recommend it.
        progress: Reports the items.

    Returns:
        float32 CSR [V + 1, V + 1] with weights above 0, an empty diagonal and sorted columns, entry
        (h, i) being what item h in a history adds to the score of item i; and float32 [V + 1], the
        mean similarity of each item with all others.

    Example:
        >>> from kd_tf.data.features.content import FeatureBlock
        >>> from kd_tf.progress import NullProgress
        >>> vectors = sparse.csr_array(np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32))
        >>> content = ContentFeatures((FeatureBlock("title", vectors),))
        >>> matrix, mean = compute_similarity_matrix(content, 1, NullProgress())
        >>> matrix.toarray()[1:, 1:].round(1)
        array([[0. , 0. , 0. ],
               [0.6, 0. , 0.8],
               [0. , 0.8, 0. ]], dtype=float32)
    """
    num_items = len(content)
    all_rows = np.arange(num_items)
    kernel = ContentKernel([block.vectors for block in content.blocks], all_rows)
    num_kept = min(max_weights, num_items)
    parts = []
    mean = np.zeros(num_items + 1, np.float32)
    with progress.task("comparing the content of items", num_items) as advance:
        for start in range(0, num_items, _BLOCK_SIZE):
            rows = all_rows[start : start + _BLOCK_SIZE]
            similarities = kernel.compute(rows, all_rows)
            similarities[np.arange(len(rows)), rows] = 0
            mean[rows + 1] = similarities.mean(axis=1)
            ids = np.argpartition(-similarities, num_kept - 1, axis=1)[:, :num_kept]
            weights = np.take_along_axis(similarities, ids, axis=1)
            is_entry = weights > 0
            item_of_entry = np.repeat(rows + 1, is_entry.sum(axis=1))
            parts.append((weights[is_entry], item_of_entry, ids[is_entry] + 1))
            advance(len(rows))
    weights, items, similar_items = map(np.concatenate, zip(*parts, strict=True))
    matrix = sparse.csr_array(
        (weights, (similar_items, items)), shape=(num_items + 1, num_items + 1)
    )
    matrix.sort_indices()
    return matrix, mean

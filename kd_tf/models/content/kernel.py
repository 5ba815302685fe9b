"""How alike the content of two items is: a kernel over all blocks of features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kd_tf.encoders.base import Vectors, normalize_rows

DENSE_POWER = 3
"""Exponent of the cosine of dense vectors. Any two texts are a little alike for a network; a power
leaves those that are much alike (docs/explanation/text-teachers.md has the figures)."""


def subtract_mean(vectors: Vectors, reference_rows: np.ndarray) -> Vectors:
    """Subtracts the mean of some rows from dense vectors; sparse ones stay as they are.

    Any two texts are a little alike for a network, by what all texts have in common.

    Args:
        vectors: float32 [V, d], rows of length 1 or zero.
        reference_rows: int [n], the rows whose mean is subtracted.

    Returns:
        float32 [V, d], rows of length 1 or zero.

    Example:
        >>> subtract_mean(np.array([[1, 0], [0, 1], [0, 0]], np.float32), np.arange(3)).round(1)
        array([[ 0.7, -0.7],
               [-0.7,  0.7],
               [ 0. ,  0. ]], dtype=float32)
    """
    if not isinstance(vectors, np.ndarray):
        return vectors
    has_content = np.asarray(vectors.any(axis=1))
    references = reference_rows[has_content[reference_rows]]
    centre = vectors[references].mean(axis=0) if len(references) else 0
    return normalize_rows(np.where(has_content[:, None], vectors - centre, 0))


class ContentKernel:
    """The mean over blocks of a similarity between 0 and 1.

    Of sparse vectors (counted words) it is the cosine. Dense vectors are centred first, by the mean
    of the reference items, and the similarity is max(cosine, 0) to the power `DENSE_POWER`. Both
    are products and sums of positive semidefinite kernels up to the cut at 0.

    Args:
        blocks: Vectors of all items, one entry per block: float32 [V, d].
        reference_rows: int [n], rows of the items whose mean centres dense blocks.

    Example:
        >>> vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
        >>> from scipy import sparse
        >>> kernel = ContentKernel([sparse.csr_array(vectors)], np.arange(3))
        >>> kernel.compute(np.array([0]), np.array([0, 1, 2])).round(1)
        array([[1. , 0.6, 0. ]], dtype=float32)
    """

    def __init__(self, blocks: Sequence[Vectors], reference_rows: np.ndarray) -> None:
        self._blocks = [subtract_mean(vectors, reference_rows) for vectors in blocks]

    def compute(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Computes the kernel between items.

        Args:
            rows: int [n], rows of the features.
            columns: int [m], rows of the features.

        Returns:
            float32 [n, m].
        """
        total = np.zeros((len(rows), len(columns)), np.float32)
        for vectors in self._blocks:
            if isinstance(vectors, np.ndarray):
                similarity = vectors[rows] @ vectors[columns].T
                np.maximum(similarity, 0, out=similarity)
                total += similarity**DENSE_POWER
            else:
                total += (vectors[rows] @ vectors[columns].T).toarray()
        total /= len(self._blocks)
        return total

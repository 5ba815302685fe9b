"""The place of a single item that comes after a fit, without solving for all others again."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from kd_tf.data.features.content import ContentFeatures
from kd_tf.models.content.item_mixtures import (
    REGULARIZATION,
    ItemMixtures,
    choose_reference_items,
)
from kd_tf.models.content.kernel import ContentKernel

NUM_NEAREST = 500
"""Reference items that are solved for, at most: a few hundred hold nearly all of a mixture."""


class NewItemMixer:
    """Finds what single new items are made of.

    `fit_item_mixtures` factors the kernel of all reference items, up to ten thousand. This solves
    the same ridge regression for the reference items that are most like the new one, in
    milliseconds, so that a shop can place a book on the day that it comes.

    Args:
        content: What all items are about, new ones included.
        popularity: int64 [V + 1], number of training users of each item.
        num_nearest: Number of reference items that are solved for.

    Raises:
        ValueError: No item with training users has any content.

    Example:
        >>> import kd_tf as kd
        >>> content = kd.data.encode_items(kd.data.bookshop(items=60, users=80, seed=1)).content
        >>> popularity = np.append(0, np.full(60, 5))
        >>> popularity[7] = 0
        >>> mixture = NewItemMixer(content, popularity).mix(7)
        >>> mixture.items.tolist(), mixture.weights.shape
        ([7], (1, 61))
    """

    def __init__(
        self, content: ContentFeatures, popularity: np.ndarray, *, num_nearest: int = NUM_NEAREST
    ) -> None:
        self._references = choose_reference_items(content, popularity)
        if not len(self._references):
            raise ValueError("no item with training users has any content")
        self._kernel = ContentKernel(
            [block.vectors for block in content.blocks], self._references - 1
        )
        self._num_nearest = num_nearest
        self._num_items = len(content)

    def mix(self, item: int) -> ItemMixtures:
        """Returns the mixture of one item, of others only where it has training users itself.

        Args:
            item: Id of the item, 1..V.
        """
        references = self._references[self._references != item]
        similarities = self._kernel.compute(np.array([item - 1]), references - 1)[0]
        if len(references) > self._num_nearest:
            nearest = np.argpartition(-similarities, self._num_nearest)[: self._num_nearest]
            nearest.sort()
            references, similarities = references[nearest], similarities[nearest]
        system = self._kernel.compute(references - 1, references - 1)
        system[np.diag_indices_from(system)] += REGULARIZATION
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        weights = np.maximum(cho_solve(factor, similarities, check_finite=False), 0)
        entries = np.flatnonzero(weights)
        matrix = sparse.csr_array(
            (weights[entries], references[entries], [0, len(entries)]),
            shape=(1, self._num_items + 1),
            dtype=np.float32,
        )
        return ItemMixtures(np.array([item], np.int32), matrix)

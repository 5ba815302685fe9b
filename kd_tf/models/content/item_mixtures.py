"""Each new item as a mixture of items that people have read, found by kernel ridge regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from kd_tf.data.features.content import ContentFeatures
from kd_tf.models.content.kernel import ContentKernel
from kd_tf.progress import NullProgress, Progress

REGULARIZATION = 1.0
"""Lambda of the ridge regression, relative to the kernel of an item with itself, which is 1."""

MAX_REFERENCE_ITEMS = 10_000
"""Items of a mixture, at most the most popular ones: the time of the fit grows with their number
cubed."""

MAX_PARTS = 400
"""Items that one mixture is made of at most; the weights of others are too small to matter."""

_BLOCK_SIZE = 2000


@dataclass(frozen=True)
class ItemMixtures:
    """Items that take their place in a model from other items.

    Attributes:
        items: int32 [m], the items, ascending.
        weights: float32 CSR [m, V + 1]; row ``i`` holds the weights of the items that item
            ``items[i]`` is made of, all of them 0 or more. A model's score of the item is the
            weighted sum of its scores of those.

    Example:
        >>> weights = sparse.csr_array(np.array([[0, 0.5, 0.25, 0]], np.float32))
        >>> mixtures = ItemMixtures(np.array([3], np.int32), weights)
        >>> mixtures.mix_rows(np.array([[0], [10], [20], [99]], np.float32)).tolist()
        [[0.0], [10.0], [20.0], [10.0]]
    """

    items: np.ndarray
    weights: sparse.csr_array

    def mix_rows(self, table: np.ndarray) -> np.ndarray:
        """Returns a table float32 [V + 1, ...] whose rows of `items` are mixed of other rows."""
        mixed_table = table.copy()
        mixed_table[self.items] = self.weights @ table
        return mixed_table

    def average_rows(self, table: np.ndarray) -> np.ndarray:
        """Returns a table as `mix_rows`, with weights that sum to 1.

        For tables in which 0 has no meaning, such as those of networks.
        """
        total = np.asarray(self.weights.sum(axis=1)).ravel()
        averages = sparse.diags_array(1 / np.where(total > 0, total, 1)) @ self.weights
        mixed_table = table.copy()
        mixed_table[self.items] = averages @ table
        return mixed_table

    def select(self, mask: np.ndarray) -> ItemMixtures | None:
        """Returns the mixtures of the items of a mask bool [V + 1]; None without any."""
        rows = np.flatnonzero(mask[self.items])
        return ItemMixtures(self.items[rows], self.weights[rows]) if len(rows) else None


def fit_item_mixtures(
    content: ContentFeatures,
    popularity: np.ndarray,
    *,
    includes_known: bool = False,
    progress: Progress | None = None,
) -> ItemMixtures | None:
    """Finds the mixtures of the items without training interactions.

    Kernel ridge regression predicts anything that is known of items, such as their scores in a
    model, from their content: for a new item c and the items w with interactions the prediction is
    a sum with weights ``(K_ww + lambda I)^-1 k_wc``, the same for whatever is predicted. Weights
    below 0 are dropped, which measures better. The closed form is that of Saunders et al., "Ridge
    Regression Learning Algorithm in Dual Variables", 1998; mapping content to a collaborative model
    that of Gantner et al., "Learning Attribute-to-Feature Mappings for Cold-Start Recommendations",
    2010.

    The latest fit is kept: a content teacher, the models beside it and the methods of a comparison
    need the same mixtures, and a fit with known items holds those of the new ones.

    Args:
        content: What all items are about.
        popularity: int64 [V + 1], number of training users of each item.
        includes_known: Whether items with training users are mixed too, each of all others: the
            leave-one-out predictions of the regression, which follow from its inverse.
        progress: Reports progress.

    Returns:
        The mixtures; None if there is nothing to mix, or nothing to mix it of.
    """
    key = (content.compute_fingerprint(), popularity.tobytes())
    if key not in _latest_fits:
        _latest_fits.clear()
    fits = _latest_fits.setdefault(key, {})
    if includes_known not in fits:
        all_mixtures = fits.get(True)
        fits[includes_known] = (
            _solve(content, popularity, includes_known, progress or NullProgress())
            if all_mixtures is None
            else all_mixtures.select(popularity == 0)
        )
    return fits[includes_known]


_latest_fits: dict[tuple[str, bytes], dict[bool, ItemMixtures | None]] = {}
"""The fits of the latest content and popularity, by whether they include known items."""


def _solve(
    content: ContentFeatures, popularity: np.ndarray, includes_known: bool, progress: Progress
) -> ItemMixtures | None:
    """Computes the mixtures; see `fit_item_mixtures`."""
    has_content = np.append(False, content.has_content)
    references = choose_reference_items(content, popularity)
    is_mixed = has_content if includes_known else has_content & (popularity == 0)
    items = np.flatnonzero(is_mixed)
    if not len(items) or not len(references):
        return None
    kernel = ContentKernel([block.vectors for block in content.blocks], references - 1)
    is_left_out = np.isin(items, references)
    parts: list[tuple[np.ndarray, sparse.csr_array]] = []
    with progress.task("mapping content to items with readers", len(items)) as advance:
        system = kernel.compute(references - 1, references - 1)
        system[np.diag_indices_from(system)] += REGULARIZATION
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        del system
        is_new = popularity[items] == 0
        # New items in blocks of their own, so that known ones do not change a digit of them.
        for block in (
            *_split_into_blocks(items[is_new]),
            *_split_into_blocks(items[~is_new & ~is_left_out]),
        ):
            weights = cho_solve(
                factor, kernel.compute(references - 1, block - 1), check_finite=False
            )
            parts.append((block, _keep_largest(weights.T, references, len(popularity))))
            advance(len(block))
        if is_left_out.any():
            for rows in _split_into_blocks(np.arange(len(references))):
                unit = np.zeros((len(references), len(rows)), np.float32)
                unit[rows, np.arange(len(rows))] = 1
                inverse = cho_solve(factor, unit, overwrite_b=True, check_finite=False).T
                weights = -inverse / inverse[np.arange(len(rows)), rows][:, None]
                weights[np.arange(len(rows)), rows] = 0
                parts.append(
                    (references[rows], _keep_largest(weights, references, len(popularity)))
                )
                advance(len(rows))
    mixed_items = np.concatenate([block for block, _ in parts])
    order = np.argsort(mixed_items)
    weights = sparse.csr_array(sparse.vstack([part for _, part in parts], format="csr")[order])
    return ItemMixtures(mixed_items[order].astype(np.int32), weights)


def choose_reference_items(content: ContentFeatures, popularity: np.ndarray) -> np.ndarray:
    """Chooses the items that mixtures are made of: those with content that people have read.

    Returns:
        int [n], ascending ids, the most popular ones where there are many.
    """
    references = np.flatnonzero((popularity > 0) & np.append(False, content.has_content))
    if len(references) > MAX_REFERENCE_ITEMS:
        order = np.argsort(-popularity[references], kind="stable")
        references = np.sort(references[order[:MAX_REFERENCE_ITEMS]])
    return references


def _split_into_blocks(items: np.ndarray) -> list[np.ndarray]:
    return [items[start : start + _BLOCK_SIZE] for start in range(0, len(items), _BLOCK_SIZE)]


def _keep_largest(weights: np.ndarray, references: np.ndarray, width: int) -> sparse.csr_array:
    """Keeps the largest weights above 0 of each row: float32 CSR [n, width].

    Args:
        weights: float32 [n, references].
        references: int [references], the item of each column.
        width: V + 1.
    """
    num_kept = min(MAX_PARTS, weights.shape[1])
    columns = np.argpartition(-weights, num_kept - 1, axis=1)[:, :num_kept]
    values = np.take_along_axis(weights, columns, axis=1)
    rows = np.repeat(np.arange(len(weights)), num_kept)
    is_positive = values.ravel() > 0
    matrix = sparse.csr_array(
        (
            values.ravel()[is_positive].astype(np.float32),
            (rows[is_positive], references[columns.ravel()[is_positive]]),
        ),
        shape=(len(weights), width),
    )
    matrix.sort_indices()
    return matrix

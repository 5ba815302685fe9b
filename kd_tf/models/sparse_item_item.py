"""Sparse item-item models: the form of local ridge and of pruned neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import Histories
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.content.item_matrix import mix_item_matrix
from kd_tf.models.content.item_mixtures import ItemMixtures


class SparseAdditiveModel(AdditiveModel):
    """Base of additive models with a sparse item-item matrix.

    Scoring reads only the matrix rows of the history's items. A subclass implements
    `gather_entries`.

    Args:
        **kwargs: `num_items`, `max_length` and `quantized`, see `AdditiveModel`.
    """

    def __init__(self, num_items: int, **kwargs: Any) -> None:
        super().__init__(num_items, **kwargs)
        self.peak_score_rows = 2

    def gather_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Looks up all entries of the matrix rows of history items.

        Args:
            ids: int32 [B, L], valid ids.

        Returns:
            For each of the n entries: int32 [n], the index into the flattened `ids`; int32 [n], the
            target item; float32 [n], the weight.
        """
        raise NotImplementedError

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        return self.sum_scores(tf.expand_dims(ids, 1))

    def sum_scores(self, ids: tf.Tensor) -> tf.Tensor:
        return sum_entries_by_item(ids, *self.gather_entries(ids), self.num_items)

    def sum_candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        return gather_scores(self.sum_scores(ids), candidates)

    def candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        return gather_pair_weights(ids, candidates, *self.gather_entries(ids))


class SparseItemItemModel(SparseAdditiveModel):
    """Scores by summing rows of a sparse matrix [V + 1, V + 1] in CSR form.

    Rows may have any length, so that the same form holds a matrix pruned per target item, per
    history item or to a total number of entries.

    Args:
        num_entries: E, the number of weights. `assign` sets them. None where `fit` decides.
        **kwargs: `num_items`, `max_length` and `quantized`, see `AdditiveModel`.

    Raises:
        ValueError: `num_entries` is negative.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> from kd_tf.backend import tf
        >>> weights = np.zeros((4, 4), np.float32)
        >>> weights[1, 2], weights[1, 3], weights[2, 3] = 0.5, 0.25, 1.0
        >>> model = SparseItemItemModel(num_items=3, max_length=2, num_entries=3)
        >>> model.assign(sparse.csr_array(weights))
        >>> model(tf.constant([[1, 2]])).numpy()
        array([[0.  , 0.  , 0.5 , 1.25]], dtype=float32)
    """

    def __init__(self, num_items: int, *, num_entries: int | None = None, **kwargs: Any) -> None:
        super().__init__(num_items, **kwargs)
        if num_entries is not None and num_entries < 0:
            raise ValueError(f"num_entries must be 0 or more, not {num_entries}")
        self.num_entries = 0
        self._create_entries(num_entries or 0)

    def _create_entries(self, num_entries: int) -> None:
        """Creates the weights of a matrix with this number of entries, or replaces them."""
        self.num_entries = num_entries
        for name in ("row_starts", "target_ids", "entry_weights"):
            if hasattr(self, name):
                delattr(self, name)

        def add_int_weight(name: str, size: int) -> tf.Variable:
            return self.add_weight(
                name=name, shape=(size,), dtype="int32", initializer="zeros", trainable=False
            )

        self.row_starts = add_int_weight("row_starts", self.num_items + 2)
        # At least one element, never read: an empty variable cannot be saved.
        self.target_ids = add_int_weight("target_ids", max(num_entries, 1))
        self.entry_weights = self.add_weight(
            name="entry_weights", shape=(max(num_entries, 1),), initializer="zeros"
        )

    def fit_matrix(self, matrix: sparse.csr_array) -> None:
        """Sets a matrix as `assign` does, with as many weights as it has entries."""
        if matrix.nnz != self.num_entries:
            self._create_entries(matrix.nnz)
        self.assign(matrix)

    def assign(self, matrix: sparse.csr_array) -> None:
        """Sets the matrix, whose entry (h, i) is what history item h adds to the score of i.

        Args:
            matrix: float32 CSR [V + 1, V + 1] with `num_entries` entries, none in row 0, in column
                0 or on the diagonal.

        Raises:
            ValueError: The shape or the number of entries does not match, an entry is in a
                forbidden position, or a weight is not finite.
        """
        check_item_matrix(matrix, self.num_items)
        if matrix.nnz != self.num_entries:
            raise ValueError(f"the matrix has {matrix.nnz} entries, the model {self.num_entries}")
        self.row_starts.assign(matrix.indptr)
        if self.num_entries:
            self.target_ids.assign(matrix.indices)
            self.entry_weights.assign(matrix.data)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        self.fit_matrix(mix_item_matrix(self.to_matrix(), mixtures))

    def to_matrix(self) -> sparse.csr_array:
        """Returns the matrix with the current weights."""
        stored_entries = slice(0, self.num_entries)
        return sparse.csr_array(
            (
                self.entry_weights.numpy()[stored_entries],
                self.target_ids.numpy()[stored_entries],
                self.row_starts.numpy(),
            ),
            shape=(self.num_items + 1, self.num_items + 1),
        )

    def gather_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        owner, entry = self.locate_entries(tf.reshape(ids, [-1]))
        return owner, tf.gather(self.target_ids, entry), tf.gather(self.entry_weights, entry)

    def locate_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Enumerates the entries of rows `ids`, int32 [N].

        Returns:
            For each of the n entries: int32 [n], the index into `ids`; int32 [n], its index in the
            matrix.
        """
        end = tf.gather(self.row_starts, ids + 1)
        return enumerate_row_entries(end, end - tf.gather(self.row_starts, ids))

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        matrix = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        return np.asarray((matrix @ self.to_matrix()).toarray() + self.prior.numpy(), np.float32)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_entries": self.num_entries}


def enumerate_row_entries(end: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Enumerates the entries of CSR rows with operations that every runtime supports.

    It writes a 1 where a row ends; the cumulative sum of these numbers the rows.

    Args:
        end: int32 [N], index after the last entry of each row.
        count: int32 [N], number of entries of each row.

    Returns:
        For each of the n entries: int32 [n], which of the N rows it belongs to; int32 [n], its
        index in the matrix.
    """
    if count.shape[0] == 1:
        entry = tf.range((end - count)[0], end[0])
        return tf.zeros_like(entry), entry
    ends = tf.cumsum(count)
    total = ends[-1]
    row_ends = tf.scatter_nd(tf.expand_dims(ends, 1), tf.ones_like(ends), [total + 1])
    owner = tf.cumsum(row_ends)[:total]
    return owner, tf.range(total) + tf.gather(end - ends, owner)


def sum_entries_by_item(
    ids: tf.Tensor, owner: tf.Tensor, target: tf.Tensor, weight: tf.Tensor, num_items: int
) -> tf.Tensor:
    """Sums entries by user and target item.

    Args:
        ids: int32 [B, L], the history items whose rows were read; only the shape is used.
        owner: int32 [n], index into the flattened `ids` of each entry.
        target: int32 [n], target item of each entry.
        weight: float32 [n], weight of each entry.
        num_items: V.

    Returns:
        float32 [B, V + 1].
    """
    batch, L = ids.shape
    if batch == 1:
        return tf.expand_dims(tf.scatter_nd(tf.expand_dims(target, 1), weight, [num_items + 1]), 0)
    batch = tf.shape(ids)[0]
    cell = owner // L * (num_items + 1) + target
    flat = tf.scatter_nd(tf.expand_dims(cell, 1), weight, [batch * (num_items + 1)])
    return tf.reshape(flat, [batch, num_items + 1])


def gather_scores(scores: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Looks up scores, float32 [B, V + 1], at candidates, int32 [B, C]: float32 [B, C]."""
    # An exported model has a batch of 1: a plain gather, which older runtimes support.
    if scores.shape[0] == 1:
        return tf.gather(tf.reshape(scores, [-1]), candidates)
    return tf.gather(scores, candidates, batch_dims=1)


def gather_pair_weights(
    ids: tf.Tensor, candidates: tf.Tensor, owner: tf.Tensor, target: tf.Tensor, weight: tf.Tensor
) -> tf.Tensor:
    """Looks up the weights of pairs of history item and candidate, without a vector of V + 1.

    Args:
        ids: int32 [B, L], the history items whose rows were read; only the shape is used.
        candidates: int32 [B, C].
        owner: int32 [n], index into the flattened `ids` of each entry.
        target: int32 [n], target item of each entry.
        weight: float32 [n], weight of each entry.

    Returns:
        float32 [B, L, C].
    """
    L, C = ids.shape[1], candidates.shape[1]
    entry_candidates = tf.gather(candidates, owner // L)
    weights = tf.where(
        entry_candidates == tf.expand_dims(target, 1), tf.expand_dims(weight, 1), 0.0
    )
    rows = tf.shape(ids)[0]
    return tf.reshape(tf.scatter_nd(tf.expand_dims(owner, 1), weights, [rows * L, C]), [rows, L, C])


def check_item_matrix(matrix: sparse.csr_array, num_items: int) -> None:
    """Raises ValueError if `matrix` is not a valid item-item matrix for V = `num_items`."""
    if matrix.shape != (num_items + 1, num_items + 1):
        raise ValueError(
            f"the matrix is {matrix.shape[0]} x {matrix.shape[1]}, but {num_items} items need "
            f"{num_items + 1} x {num_items + 1}: it belongs to another catalog"
        )
    if not np.isfinite(matrix.data).all():
        raise ValueError("the matrix has a weight that is not finite")
    row = np.repeat(np.arange(num_items + 1), np.diff(matrix.indptr))
    if ((row == 0) | (matrix.indices == 0) | (row == matrix.indices)).any():
        raise ValueError(
            "the matrix must be empty on the diagonal and in row and column 0 (padding)"
        )

"""A sparse table of which book speaks for which: what local ridge and pruned neighbours are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import Histories
from kd_tf.models.additive import AdditiveModel


class SparseAdditiveModel(AdditiveModel):
    """Adds up entries of a sparse table: only those of the history's rows are touched.

    A subclass implements `weights_of`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.peak_score_rows = 2

    def gather_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Every entry of the rows of books int32 [B, L].

        Returns:
            int32 [n] the place in the flat `ids` that an entry belongs to, int32 [n] whom it speaks
            for, and float32 [n] how much.
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
    """Adds up rows of a sparse matrix [V + 1, V + 1], stored row by row without gaps.

    Rows may be of any length, so the same form holds a matrix that was pruned by candidate, by
    book of the history or by a budget over all. Only entries of the history's rows are touched.

    Args:
        books: V.
        history_length: L.
        entries: E, how many weights there are. `assign` fills them.
    """

    def __init__(self, *, num_entries: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_entries < 0:
            raise ValueError(f"entries must be 0 or more, not {num_entries}")
        self.num_entries = num_entries

        def whole(name: str, size: int) -> tf.Variable:
            return self.add_weight(
                name=name, shape=(size,), dtype="int32", initializer="zeros", trainable=False
            )

        self.row_starts = whole("starts", self.num_items + 2)
        # At least one, never read: a variable without elements cannot be saved.
        self.target_ids = whole("targets", max(num_entries, 1))
        self.entry_weights = self.add_weight(
            name="strengths", shape=(max(num_entries, 1),), initializer="zeros"
        )

    def assign(self, matrix: sparse.csr_array) -> None:
        """Takes over a matrix: entry (h, i) is what book h adds to the score of i.

        Args:
            matrix: float32 CSR [V + 1, V + 1] with `entries` entries, none in row or column 0 or
                on the diagonal.

        Raises:
            ValueError: Shape or number of entries differ, an entry is where none may be, or a
                weight is not finite.
        """
        check_item_matrix(matrix, self.num_items)
        if matrix.nnz != self.num_entries:
            raise ValueError(f"the matrix has {matrix.nnz} entries, the model {self.num_entries}")
        self.row_starts.assign(matrix.indptr)
        if self.num_entries:
            self.target_ids.assign(matrix.indices)
            self.entry_weights.assign(matrix.data)

    def to_matrix(self) -> sparse.csr_array:
        """What `assign` took, with the weights as they are now."""
        some = slice(0, self.num_entries)
        return sparse.csr_array(
            (
                self.entry_weights.numpy()[some],
                self.target_ids.numpy()[some],
                self.row_starts.numpy(),
            ),
            shape=(self.num_items + 1, self.num_items + 1),
        )

    def gather_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        owner, entry = self.locate_entries(tf.reshape(ids, [-1]))
        return owner, tf.gather(self.target_ids, entry), tf.gather(self.entry_weights, entry)

    def locate_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Every entry of the rows `ids`, int32 [N]: places in `ids` and entries, int32 [n] both."""
        end = tf.gather(self.row_starts, ids + 1)
        return enumerate_row_entries(end, end - tf.gather(self.row_starts, ids))

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        return np.asarray((read @ self.to_matrix()).toarray() + self.prior.numpy(), np.float32)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_entries": self.num_entries}


def enumerate_row_entries(end: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Every entry of some rows, by sums alone, which every runtime has.

    Where a row ends a 1 is put, and the running sum of these counts the rows.

    Args:
        end: int32 [N], where each row's entries end.
        count: int32 [N], how many each has.

    Returns:
        int32 [n] which of the N rows an entry belongs to, and int32 [n] its place.
    """
    if count.shape[0] == 1:
        place = tf.range((end - count)[0], end[0])
        return tf.zeros_like(place), place
    ends = tf.cumsum(count)
    total = ends[-1]
    ended = tf.scatter_nd(tf.expand_dims(ends, 1), tf.ones_like(ends), [total + 1])
    owner = tf.cumsum(ended)[:total]
    return owner, tf.range(total) + tf.gather(end - ends, owner)


def sum_entries_by_item(
    ids: tf.Tensor, owner: tf.Tensor, target: tf.Tensor, weight: tf.Tensor, num_items: int
) -> tf.Tensor:
    """What the entries of some rows say of all books.

    Args:
        ids: int32 [B, L], the books whose rows were read.
        owner: int32 [n], the place in the flat `ids` that an entry belongs to.
        target: int32 [n], whom it speaks for.
        weight: float32 [n], how much.
        books: V.

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
    """float32 [B, C]: scores float32 [B, V + 1] of candidates int32 [B, C]."""
    if scores.shape[0] == 1:  # what a file has: a look-up in one vector, which older runtimes have
        return tf.gather(tf.reshape(scores, [-1]), candidates)
    return tf.gather(scores, candidates, batch_dims=1)


def gather_pair_weights(
    ids: tf.Tensor, candidates: tf.Tensor, owner: tf.Tensor, target: tf.Tensor, weight: tf.Tensor
) -> tf.Tensor:
    """What the entries of some rows say of some candidates, without a vector of V + 1 numbers.

    Args:
        ids: int32 [B, L], the books whose rows were read.
        candidates: int32 [B, C].
        owner: int32 [n], the place in the flat `ids` that an entry belongs to.
        target: int32 [n], whom it speaks for.
        weight: float32 [n], how much.

    Returns:
        float32 [B, L, C].
    """
    L, C = ids.shape[1], candidates.shape[1]
    asked = tf.gather(candidates, owner // L)
    found = tf.where(asked == tf.expand_dims(target, 1), tf.expand_dims(weight, 1), 0.0)
    rows = tf.shape(ids)[0]
    return tf.reshape(tf.scatter_nd(tf.expand_dims(owner, 1), found, [rows * L, C]), [rows, L, C])


def check_item_matrix(matrix: sparse.csr_array, num_items: int) -> None:
    """Raises ValueError where `matrix` cannot be a table of which book speaks for which."""
    if matrix.shape != (num_items + 1, num_items + 1):
        raise ValueError(
            f"the matrix is {matrix.shape[0]} x {matrix.shape[1]}, but {num_items} books need "
            f"{num_items + 1} x {num_items + 1}: it belongs to another catalogue"
        )
    if not np.isfinite(matrix.data).all():
        raise ValueError("the matrix holds a weight that is not finite")
    row = np.repeat(np.arange(num_items + 1), np.diff(matrix.indptr))
    if ((row == 0) | (matrix.indices == 0) | (row == matrix.indices)).any():
        raise ValueError("no book speaks for itself, and padding for none")

"""A high-rank student in few bytes: the strongest neighbours of each item, packed into bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.errors import UserError
from kd_tf.layers.bit_packing import MAX_BITS, BitPackedInts, compute_packed_bytes
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.closed_form.sparsify import keep_top_weights
from kd_tf.models.sparse_item_item import (
    SparseAdditiveModel,
    SparseItemItemModel,
    enumerate_row_entries,
)
from kd_tf.models.teachers.local_ridge import choose_ridge
from kd_tf.models.training_data import TrainingData

NUM_NEIGHBOURS = 20
"""Neighbours of each item that `fit` keeps by default."""

WEIGHT_BITS = 4
"""Bits of a stored weight."""

MAX_ROW_LENGTH = 255
"""Maximum number of entries of one item: a row length is stored in one byte."""

ROWS_PER_START = 16
"""The offset of every 16th row is stored; the others are summed from the row lengths."""

_MAX_LEVEL = 2**WEIGHT_BITS - 1


@keras.saving.register_keras_serializable(package="kd_tf")
class NeighboursStudent(ClosedFormFit, SparseItemItemModel):
    """An item-item model with float weights, to be pruned, trained and packed.

    `fit` takes the weights from a local ridge regression on the training histories. To take them
    from a teacher, and as many as fit a number of bytes, see `kd_tf.distill.warm_start`.

    Args:
        **kwargs: As for `SparseItemItemModel`.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> from kd_tf.backend import tf
        >>> weights = np.zeros((4, 4), np.float32)
        >>> weights[1, 2], weights[3, 2] = 0.5, 0.25  # items 1 and 3 are neighbours of item 2
        >>> student = NeighboursStudent.from_matrix(
        ...     sparse.csr_array(weights), max_length=3, prior=np.zeros(4, np.float32)
        ... )
        >>> student(tf.constant([[1, 3, 0]])).numpy()
        array([[0.  , 0.  , 0.75, 0.  ]], dtype=float32)
    """

    @classmethod
    def from_matrix(
        cls, matrix: sparse.csr_array, *, max_length: int, prior: np.ndarray
    ) -> NeighboursStudent:
        """Creates a student with the weights of an item-item matrix.

        Args:
            matrix: CSR [V + 1, V + 1]; entry (h, i) is what item h adds to the score of item i.
                Rows with more than `MAX_ROW_LENGTH` entries keep their largest weights; weights
                of 0 or below are dropped.
            max_length: Length of the history, L.
            prior: float32 [V + 1].
        """
        matrix = truncate_rows(matrix)
        model = cls(num_items=matrix.shape[0] - 1, max_length=max_length, num_entries=matrix.nnz)
        model.create_weights()
        model.assign(matrix)
        model.prior.assign(prior)
        return model

    def solve(self, data: TrainingData) -> None:
        """Keeps the strongest weights of a local ridge regression.

        As many as the model was made for, the same number for every item of a history, or
        `NUM_NEIGHBOURS` of each item.
        """
        teacher = choose_ridge(data)[0]
        num_neighbours = (
            max(self.num_entries // self.num_items, 1) if self.num_entries else NUM_NEIGHBOURS
        )
        matrix = keep_top_weights(teacher.to_matrix(), num_neighbours, "history")
        self.fit_matrix(truncate_rows(matrix))
        self.prior.assign(teacher.prior.numpy())

    def pack(self) -> PackedNeighbours:
        """Returns the student packed into bits, for export."""
        return PackedNeighbours.from_student(self)

    @property
    def quantized_size(self) -> int:
        """Bytes of its weights in a file."""
        return compute_packed_size(self.num_items, self.num_entries)


def compute_packed_size(num_items: int, num_entries: int) -> int:
    """Computes the bytes of a packed student with `num_entries` weights, everything included."""
    num_starts = -(-(num_items + 2) // ROWS_PER_START)
    # Row lengths, scales and priors take one byte each, and a row start four. Constants map the
    # bytes of scales and priors to floats.
    row_bytes = num_starts * (ROWS_PER_START + 4) + 2 * (num_items + 1) + (256 + 2) * 4
    return compute_packed_bytes(num_entries, _count_id_bits(num_items) + WEIGHT_BITS) + row_bytes


def compute_max_entries(num_items: int, max_bytes: int) -> int:
    """Computes how many weights fit into `max_bytes`; the result may be below 1."""
    bits = _count_id_bits(num_items) + WEIGHT_BITS
    max_entries = (max_bytes - compute_packed_size(num_items, 0)) * 8 // bits
    # Each bit plane is padded to a whole byte, so the estimate may be slightly too high.
    while max_entries > 0 and compute_packed_size(num_items, max_entries) > max_bytes:
        max_entries -= 1
    return max_entries


def truncate_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    """Drops weights of 0 or below, and the smallest ones of rows above `MAX_ROW_LENGTH`."""
    return keep_top_weights(matrix, MAX_ROW_LENGTH, "history")


@keras.saving.register_keras_serializable(package="kd_tf")
class PackedNeighbours(SparseAdditiveModel):
    """The exported form of `NeighboursStudent`: integers of as few bits as possible.

    An entry is the id of the scored item in ceil(log2(V + 1)) bits and its weight in 4 bits
    (`BitPackedInts`). The scale of a weight belongs to the scored item: its largest weight divided
    by 15, stored in one byte on a logarithmic scale. The prior takes one byte as well. The start
    of a row follows from the row lengths. This model is created from a trained `NeighboursStudent`
    and cannot be trained itself.

    Args:
        num_entries: Number of weights, E.
        **kwargs: `num_items` V and `max_length` L.

    Raises:
        UserError: An id and a weight do not fit into the bits of an entry.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> weights = np.zeros((4, 4), np.float32)
        >>> weights[1, 2], weights[3, 2] = 0.5, 0.25
        >>> student = NeighboursStudent.from_matrix(
        ...     sparse.csr_array(weights), max_length=3, prior=np.zeros(4, np.float32)
        ... )
        >>> student.pack().unpack().toarray()[1:, 2].round(2)
        array([0.5 , 0.  , 0.23], dtype=float32)
    """

    def __init__(self, num_items: int, *, num_entries: int, **kwargs: Any) -> None:
        super().__init__(num_items, **{**kwargs, "is_quantized": True})
        self.num_entries = num_entries
        self.id_bits = _count_id_bits(self.num_items)
        if self.id_bits + WEIGHT_BITS > MAX_BITS:
            raise UserError(
                f"a neighbours student supports at most {2 ** (MAX_BITS - WEIGHT_BITS) - 1:,} "
                f"items, not {self.num_items:,}",
                hint="Remove rare items: raise cleaning.min_item_interactions.",
            )
        self.packed_entries = BitPackedInts(
            self, "entries", count=num_entries, bits=self.id_bits + WEIGHT_BITS
        )
        num_starts = -(-(self.num_items + 2) // ROWS_PER_START)
        self.row_lengths = self._add_constant(
            "row_lengths", (num_starts * ROWS_PER_START,), "uint8"
        )
        self.row_starts = self._add_constant("row_starts", (num_starts,), "int32")
        self.scale = QuantizedVector(self, "scale", is_quantized=True, spacing="ratio")

    def _add_constant(self, name: str, shape: tuple[int, ...], dtype: str) -> tf.Variable:
        """Adds a weight that is not trained."""
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    @classmethod
    def from_student(cls, student: NeighboursStudent) -> PackedNeighbours:
        """Creates the packed form of a trained student."""
        matrix = truncate_rows(student.to_matrix())
        model = cls(
            num_items=student.num_items,
            max_length=student.max_length,
            num_entries=matrix.nnz,
        )
        model.create_weights()
        largest = np.zeros(student.num_items + 1, np.float32)
        np.maximum.at(largest, matrix.indices, matrix.data)
        model.scale.assign(largest / _MAX_LEVEL)
        scale = model.scale.numpy()[matrix.indices]
        levels = np.clip(np.round(matrix.data / np.maximum(scale, 1e-30)), 0, _MAX_LEVEL)
        row_lengths = np.zeros(model.row_lengths.shape[0], np.uint8)
        row_lengths[: student.num_items + 1] = np.diff(matrix.indptr)
        model.prior.assign(student.prior.numpy())
        model.packed_entries.assign(
            matrix.indices.astype(np.int64) << WEIGHT_BITS | levels.astype(np.int64)
        )
        model.row_lengths.assign(row_lengths)
        model.row_starts.assign(matrix.indptr[: student.num_items + 2 : ROWS_PER_START])
        return model

    def gather_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Gathers the entries of the rows `ids`; see `SparseAdditiveModel.gather_entries`."""
        owner, entry = self._locate_entries(tf.reshape(ids, [-1]))
        code = self.packed_entries.gather(entry)
        target = code // 2**WEIGHT_BITS
        level = tf.cast(tf.math.floormod(code, 2**WEIGHT_BITS), tf.float32)
        return owner, target, level * self.scale.gather(target)

    def _locate_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns positions in `ids` and entries, int32 [n] both, as `SparseItemItemModel` does."""
        block = ids // ROWS_PER_START
        block_lengths = tf.gather(tf.reshape(self.row_lengths, [-1, ROWS_PER_START]), block)
        block_lengths = tf.cast(block_lengths, tf.int32)
        index = tf.math.floormod(ids, ROWS_PER_START) + tf.range(tf.shape(ids)[0]) * ROWS_PER_START
        count = tf.gather(tf.reshape(block_lengths, [-1]), index)
        end = tf.gather(tf.reshape(tf.cumsum(block_lengths, axis=1), [-1]), index)
        return enumerate_row_entries(tf.gather(self.row_starts, block) + end, count)

    def unpack(self) -> sparse.csr_array:
        """Returns the weights that the packed entries represent: float32 CSR [V + 1, V + 1]."""
        codes = self.packed_entries.numpy()
        targets = (codes >> WEIGHT_BITS).astype(np.int32)
        weights = (codes & _MAX_LEVEL) * self.scale.numpy()[targets]
        row_lengths = self.row_lengths.numpy()[: self.num_items + 1].astype(np.int64)
        return sparse.csr_array(
            (weights.astype(np.float32), targets, np.concatenate([[0], np.cumsum(row_lengths)])),
            shape=(self.num_items + 1, self.num_items + 1),
        )

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        """Computes the scores of `call` in NumPy: float32 [n, V + 1]."""
        interactions = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        scores = (interactions @ self.unpack()).toarray() + self.prior.numpy()
        return np.asarray(scores, np.float32)

    @property
    def quantized_size(self) -> int:
        """Bytes of its weights in a file."""
        return compute_packed_size(self.num_items, self.num_entries)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_entries": self.num_entries}


def _count_id_bits(num_items: int) -> int:
    """Returns how many bits an item id takes."""
    return int(num_items).bit_length()

"""The student for high rank at few bytes: each book's few strongest neighbours, packed in bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.errors import UserError
from kd_tf.layers.bit_packing import MAX_BITS, BitPackedInts, compute_packed_bytes
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.closed_form.sparsify import keep_top_weights
from kd_tf.models.sparse_item_item import (
    SparseAdditiveModel,
    SparseItemItemModel,
    enumerate_row_entries,
)

WEIGHT_BITS = 4
MAX_ROW_LENGTH = 255
"""Entries of one book of the history: a row's length is one byte."""

ROWS_PER_START = 16
"""Every so many rows the place of their first entry is stored; those between are counted."""

_MAX_LEVEL = 2**WEIGHT_BITS - 1


@keras.saving.register_keras_serializable(package="kd_tf")
class NeighboursStudent(SparseItemItemModel):
    """Which book speaks for which, with float weights: what is pruned, trained and then packed."""

    @classmethod
    def from_matrix(
        cls, matrix: sparse.csr_array, *, max_length: int, prior: np.ndarray
    ) -> NeighboursStudent:
        """The student with these weights.

        Args:
            matrix: CSR [V + 1, V + 1], entry (h, i) is what book h adds to the score of i. Rows
                beyond `LONGEST_ROW` keep their largest weights.
            history_length: L.
            prior: float32 [V + 1].
        """
        matrix = truncate_rows(matrix)
        model = cls(num_items=matrix.shape[0] - 1, max_length=max_length, num_entries=matrix.nnz)
        model.create_weights()
        model.assign(matrix)
        model.prior.assign(prior)
        return model

    def pack(self) -> PackedNeighbours:
        return PackedNeighbours.from_student(self)

    @property
    def quantized_size(self) -> int:
        return compute_packed_size(self.num_items, self.num_entries)


def compute_packed_size(num_items: int, num_entries: int) -> int:
    """What `entries` weights take when they are packed, everything included."""
    blocks = -(-(num_items + 2) // ROWS_PER_START)
    # Row lengths, scales and priors are a byte each; constants say what scales and priors mean.
    rows = blocks * (ROWS_PER_START + 4) + 2 * (num_items + 1) + (256 + 2) * 4
    return compute_packed_bytes(num_entries, _count_id_bits(num_items) + WEIGHT_BITS) + rows


def compute_max_entries(num_items: int, max_bytes: int) -> int:
    """The most weights that fit; may be below 1."""
    bits = _count_id_bits(num_items) + WEIGHT_BITS
    most = (max_bytes - compute_packed_size(num_items, 0)) * 8 // bits
    # Every plane of the bits ends with a whole byte.
    while most > 0 and compute_packed_size(num_items, most) > max_bytes:
        most -= 1
    return most


def truncate_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    """Without the smallest weights of rows that are too long, and without those of 0 or less."""
    return keep_top_weights(matrix, MAX_ROW_LENGTH, "history")


@keras.saving.register_keras_serializable(package="kd_tf")
class PackedNeighbours(SparseAdditiveModel):
    """The same student as an app gets it: whole numbers of as few bits as they need.

    An entry is the candidate's id in ceil(log2(V + 1)) bits and its weight in 4 (`BitPlanes`). A
    weight counts in steps of its candidate's own largest weight, which is one byte on a logarithmic
    scale; the prior is a byte, too. Rows are found from their lengths.
    It is made from a trained `NeighboursStudent` and not trained itself.

    Args:
        books: V.
        history_length: L.
        entries: E.
    """

    def __init__(self, *, num_entries: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "coded": True})
        self.num_entries = num_entries
        self.id_bits = _count_id_bits(self.num_items)
        if self.id_bits + WEIGHT_BITS > MAX_BITS:
            raise UserError(
                f"{self.num_items:,} books are more than neighbours can number: the most are "
                f"{2 ** (MAX_BITS - WEIGHT_BITS) - 1:,}",
                hint="Clean away rarely read books (cleaning.min_item_interactions).",
            )
        self.packed_entries = BitPackedInts(
            self, "entries", count=num_entries, bits=self.id_bits + WEIGHT_BITS
        )
        self.row_lengths = self._add_constant(
            "lengths", (-(-(self.num_items + 2) // ROWS_PER_START) * ROWS_PER_START,), "uint8"
        )
        self.row_starts = self._add_constant(
            "starts", (-(-(self.num_items + 2) // ROWS_PER_START),), "int32"
        )
        self.scale = QuantizedVector(self, "scale", quantized=True, spacing="ratio")

    def _add_constant(self, name: str, shape: tuple[int, ...], dtype: str) -> tf.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    @classmethod
    def from_student(cls, student: NeighboursStudent) -> PackedNeighbours:
        """Packs the weights of a student."""
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
        step = model.scale.numpy()[matrix.indices]
        weights = np.clip(np.round(matrix.data / np.maximum(step, 1e-30)), 0, _MAX_LEVEL)
        lengths = np.zeros(model.row_lengths.shape[0], np.uint8)
        lengths[: student.num_items + 1] = np.diff(matrix.indptr)
        model.prior.assign(student.prior.numpy())
        model.packed_entries.assign(
            matrix.indices.astype(np.int64) << WEIGHT_BITS | weights.astype(np.int64)
        )
        model.row_lengths.assign(lengths)
        model.row_starts.assign(matrix.indptr[: student.num_items + 2 : ROWS_PER_START])
        return model

    def gather_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        owner, entry = self._locate_entries(tf.reshape(ids, [-1]))
        number = self.packed_entries.gather(entry)
        target = number // 2**WEIGHT_BITS
        level = tf.cast(tf.math.floormod(number, 2**WEIGHT_BITS), tf.float32)
        return owner, target, level * self.scale.gather(target)

    def _locate_entries(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As in `SparseItemModel`: places in `ids` and entries, int32 [n] both."""
        block = ids // ROWS_PER_START
        around = tf.gather(tf.reshape(self.row_lengths, [-1, ROWS_PER_START]), block)
        around = tf.cast(around, tf.int32)
        place = tf.math.floormod(ids, ROWS_PER_START) + tf.range(tf.shape(ids)[0]) * ROWS_PER_START
        count = tf.gather(tf.reshape(around, [-1]), place)
        end = tf.gather(tf.reshape(tf.cumsum(around, axis=1), [-1]), place)
        return enumerate_row_entries(tf.gather(self.row_starts, block) + end, count)

    def unpack(self) -> sparse.csr_array:
        """The weights that the bits stand for: float32 CSR [V + 1, V + 1]."""
        numbers = self.packed_entries.numpy()
        targets = (numbers >> WEIGHT_BITS).astype(np.int32)
        weights = (numbers & _MAX_LEVEL) * self.scale.numpy()[targets]
        lengths = self.row_lengths.numpy()[: self.num_items + 1].astype(np.int64)
        return sparse.csr_array(
            (weights.astype(np.float32), targets, np.concatenate([[0], np.cumsum(lengths)])),
            shape=(self.num_items + 1, self.num_items + 1),
        )

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        return np.asarray((read @ self.unpack()).toarray() + self.prior.numpy(), np.float32)

    @property
    def quantized_size(self) -> int:
        """What its weights take in a file."""
        return compute_packed_size(self.num_items, self.num_entries)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_entries": self.num_entries}


def _count_id_bits(num_items: int) -> int:
    return int(num_items).bit_length()

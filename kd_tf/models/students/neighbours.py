"""The student for high rank at few bytes: each book's few strongest neighbours, packed in bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.errors import UserError
from kd_tf.keras import keras, tf
from kd_tf.models.bit_planes import MOST_BITS, BitPlanes, planes_bytes
from kd_tf.models.book_vector import BookVector
from kd_tf.models.closed_form.pruning import keep_strongest
from kd_tf.models.sparse_items import SparseItemModel, SparseSums, rows_one_after_the_other

WEIGHT_BITS = 4
LONGEST_ROW = 255
"""Entries of one book of the history: a row's length is one byte."""

ROWS_A_START = 16
"""Every so many rows the place of their first entry is stored; those between are counted."""

_LEVELS = 2**WEIGHT_BITS - 1


@keras.saving.register_keras_serializable(package="kd_tf")
class NeighboursStudent(SparseItemModel):
    """Which book speaks for which, with float weights: what is pruned, trained and then packed."""

    @classmethod
    def of(
        cls, matrix: sparse.csr_array, *, history_length: int, prior: np.ndarray
    ) -> NeighboursStudent:
        """The student with these weights.

        Args:
            matrix: CSR [V + 1, V + 1], entry (h, i) is what book h adds to the score of i. Rows
                beyond `LONGEST_ROW` keep their largest weights.
            history_length: L.
            prior: float32 [V + 1].
        """
        matrix = shortened(matrix)
        model = cls(books=matrix.shape[0] - 1, history_length=history_length, entries=matrix.nnz)
        model.create_weights()
        model.assign(matrix)
        model.prior.assign(prior)
        return model

    def compact(self) -> PackedNeighbours:
        return PackedNeighbours.of(self)

    @property
    def stored_bytes(self) -> int:
        return packed_bytes(self.books, self.entries)


def packed_bytes(books: int, entries: int) -> int:
    """What `entries` weights take when they are packed, everything included."""
    blocks = -(-(books + 2) // ROWS_A_START)
    # Row lengths, scales and priors are a byte each; constants say what scales and priors mean.
    rows = blocks * (ROWS_A_START + 4) + 2 * (books + 1) + (256 + 2) * 4
    return planes_bytes(entries, _id_bits(books) + WEIGHT_BITS) + rows


def entries_within(books: int, max_bytes: int) -> int:
    """The most weights that fit; may be below 1."""
    bits = _id_bits(books) + WEIGHT_BITS
    most = (max_bytes - packed_bytes(books, 0)) * 8 // bits
    # Every plane of the bits ends with a whole byte.
    while most > 0 and packed_bytes(books, most) > max_bytes:
        most -= 1
    return most


def shortened(matrix: sparse.csr_array) -> sparse.csr_array:
    """Without the smallest weights of rows that are too long, and without those of 0 or less."""
    return keep_strongest(matrix, LONGEST_ROW, "history")


@keras.saving.register_keras_serializable(package="kd_tf")
class PackedNeighbours(SparseSums):
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

    def __init__(self, *, entries: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "coded": True})
        self.entries = entries
        self.id_bits = _id_bits(self.books)
        if self.id_bits + WEIGHT_BITS > MOST_BITS:
            raise UserError(
                f"{self.books:,} books are more than neighbours can number: the most are "
                f"{2 ** (MOST_BITS - WEIGHT_BITS) - 1:,}",
                hint="Clean away rarely read books (cleaning.min_item_interactions).",
            )
        self.packed = BitPlanes(self, "entries", count=entries, bits=self.id_bits + WEIGHT_BITS)
        self.lengths = self._stored(
            "lengths", (-(-(self.books + 2) // ROWS_A_START) * ROWS_A_START,), "uint8"
        )
        self.starts = self._stored("starts", (-(-(self.books + 2) // ROWS_A_START),), "int32")
        self.scale = BookVector(self, "scale", coded=True, spacing="ratio")

    def _stored(self, name: str, shape: tuple[int, ...], kind: str) -> tf.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype=kind, initializer="zeros", trainable=False
        )

    @classmethod
    def of(cls, student: NeighboursStudent) -> PackedNeighbours:
        """Packs the weights of a student."""
        matrix = shortened(student.matrix())
        model = cls(books=student.books, history_length=student.history_length, entries=matrix.nnz)
        model.create_weights()
        largest = np.zeros(student.books + 1, np.float32)
        np.maximum.at(largest, matrix.indices, matrix.data)
        model.scale.assign(largest / _LEVELS)
        step = model.scale.numpy()[matrix.indices]
        weights = np.clip(np.round(matrix.data / np.maximum(step, 1e-30)), 0, _LEVELS)
        lengths = np.zeros(model.lengths.shape[0], np.uint8)
        lengths[: student.books + 1] = np.diff(matrix.indptr)
        model.prior.assign(student.prior.numpy())
        model.packed.assign(
            matrix.indices.astype(np.int64) << WEIGHT_BITS | weights.astype(np.int64)
        )
        model.lengths.assign(lengths)
        model.starts.assign(matrix.indptr[: student.books + 2 : ROWS_A_START])
        return model

    def weights_of(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        owner, entry = self._entries_of(tf.reshape(ids, [-1]))
        number = self.packed.at(entry)
        target = number // 2**WEIGHT_BITS
        level = tf.cast(tf.math.floormod(number, 2**WEIGHT_BITS), tf.float32)
        return owner, target, level * self.scale.at(target)

    def _entries_of(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As in `SparseItemModel`: places in `ids` and entries, int32 [n] both."""
        block = ids // ROWS_A_START
        around = tf.gather(tf.reshape(self.lengths, [-1, ROWS_A_START]), block)
        around = tf.cast(around, tf.int32)
        place = tf.math.floormod(ids, ROWS_A_START) + tf.range(tf.shape(ids)[0]) * ROWS_A_START
        count = tf.gather(tf.reshape(around, [-1]), place)
        end = tf.gather(tf.reshape(tf.cumsum(around, axis=1), [-1]), place)
        return rows_one_after_the_other(tf.gather(self.starts, block) + end, count)

    def unpacked(self) -> sparse.csr_array:
        """The weights that the bits stand for: float32 CSR [V + 1, V + 1]."""
        numbers = self.packed.numpy()
        targets = (numbers >> WEIGHT_BITS).astype(np.int32)
        weights = (numbers & _LEVELS) * self.scale.numpy()[targets]
        lengths = self.lengths.numpy()[: self.books + 1].astype(np.int64)
        return sparse.csr_array(
            (weights.astype(np.float32), targets, np.concatenate([[0], np.cumsum(lengths)])),
            shape=(self.books + 1, self.books + 1),
        )

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).matrix(self.books)
        return np.asarray((read @ self.unpacked()).toarray() + self.prior.numpy(), np.float32)

    @property
    def stored_bytes(self) -> int:
        """What its weights take in a file."""
        return packed_bytes(self.books, self.entries)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "entries": self.entries}


def _id_bits(books: int) -> int:
    return int(books).bit_length()

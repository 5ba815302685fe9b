"""The student for high rank at few bytes: each book's few strongest neighbours, packed in bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.data.histories import Histories
from kd_tf.errors import UserError
from kd_tf.keras import keras, tf
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.book_vector import BookVector
from kd_tf.models.closed_form.pruning import keep_strongest
from kd_tf.models.sparse_items import (
    SparseItemModel,
    rows_one_after_the_other,
    weights_of_pairs,
)

WEIGHT_BITS = 4
LONGEST_ROW = 255
"""Entries of one book of the history: a row's length is one byte."""

ROWS_A_START = 16
"""Every so many rows the place of their first entry is stored; those between are counted."""

_LEVELS = 2**WEIGHT_BITS - 1

_SPARE = 4
"""Bytes behind the last entry, so that four can be read from wherever it begins."""

_MOST_ENTRY_BITS = 26
"""With one more an entry may lie in five bytes; 26 begin at even bits only."""


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
    bits = entries * (_id_bits(books) + WEIGHT_BITS)
    blocks = -(-(books + 2) // ROWS_A_START)
    # Row lengths, scales and priors are a byte each; two tables of 256 floats give them values.
    rows = blocks * (ROWS_A_START + 4) + 2 * (books + 1) + 2 * 256 * 4
    return -(-bits // 8) + _SPARE + rows


def entries_within(books: int, max_bytes: int) -> int:
    """The most weights that fit; may be below 1."""
    free = max_bytes - packed_bytes(books, 0)
    return free * 8 // (_id_bits(books) + WEIGHT_BITS)


def shortened(matrix: sparse.csr_array) -> sparse.csr_array:
    """Without the smallest weights of rows that are too long, and without those of 0 or less."""
    return keep_strongest(matrix, LONGEST_ROW, "history")


@keras.saving.register_keras_serializable(package="kd_tf")
class PackedNeighbours(AdditiveModel):
    """The same student as an app gets it: whole numbers of as few bits as they need.

    An entry is the candidate's id in ceil(log2(V + 1)) bits and its weight in 4, one after the
    other in one string of bytes. A weight counts in steps of its candidate's own largest weight,
    which is one byte on a logarithmic scale, as the prior is. Rows are found from their lengths.
    It is made from a trained `NeighboursStudent` and not trained itself.

    Args:
        books: V.
        history_length: L.
        entries: E.
    """

    def __init__(self, *, entries: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "coded": True})
        self.entries = entries
        self.vectors_at_once = 2
        self.id_bits = _id_bits(self.books)
        self.entry_bits = self.id_bits + WEIGHT_BITS
        if entries * self.entry_bits >= 2**31:
            raise UserError(
                f"{entries:,} neighbours of {self.entry_bits} bits each are more than one file "
                "can address",
                hint="Give a smaller --max-bytes.",
            )
        if self.entry_bits > _MOST_ENTRY_BITS:
            raise UserError(
                f"{self.books:,} books are more than neighbours can number: the most are "
                f"{2 ** (_MOST_ENTRY_BITS - WEIGHT_BITS) - 1:,}",
                hint="Clean away rarely read books (cleaning.min_item_interactions).",
            )
        size = -(-entries * self.entry_bits // 8) + _SPARE

        self.packed = self._stored("packed", (size,), "uint8")
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
            _pack(
                matrix.indices.astype(np.int64) << WEIGHT_BITS | weights.astype(np.int64),
                model.entry_bits,
                model.packed.shape[0],
            )
        )
        model.lengths.assign(lengths)
        model.starts.assign(matrix.indptr[: student.books + 2 : ROWS_A_START])
        return model

    def added(self, ids: tf.Tensor) -> tf.Tensor:
        return self.summed(tf.expand_dims(ids, 1))

    def added_to(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        return weights_of_pairs(ids, candidates, *self._weights_of(ids))

    def summed(self, ids: tf.Tensor) -> tf.Tensor:
        batch = tf.shape(ids)[0]
        owner, target, weight = self._weights_of(ids)
        cell = owner // ids.shape[1] * (self.books + 1) + target
        flat = tf.scatter_nd(tf.expand_dims(cell, 1), weight, [batch * (self.books + 1)])
        return tf.reshape(flat, [batch, self.books + 1])

    def _weights_of(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Every entry of the rows `ids`: place in the flat `ids`, target, weight, [n] each."""
        owner, entry = self._entries_of(tf.reshape(ids, [-1]))
        number = self._numbers(entry)
        target = number // 2**WEIGHT_BITS
        weight = tf.cast(number - target * 2**WEIGHT_BITS, tf.float32) * self.scale.at(target)
        return owner, target, weight

    def _entries_of(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As in `SparseItemModel`: places in `ids` and entries, int32 [n] both."""
        block = ids // ROWS_A_START
        around = tf.gather(tf.reshape(self.lengths, [-1, ROWS_A_START]), block)
        around = tf.cast(around, tf.int32)
        within = tf.expand_dims(ids - block * ROWS_A_START, 1)
        place = tf.expand_dims(tf.range(ROWS_A_START), 0)
        zero = tf.zeros_like(around)
        begin = tf.gather(self.starts, block) + tf.reduce_sum(
            tf.where(place < within, around, zero), axis=1
        )
        count = tf.reduce_sum(tf.where(tf.equal(place, within), around, zero), axis=1)
        return rows_one_after_the_other(begin, count)

    def _numbers(self, entry: tf.Tensor) -> tf.Tensor:
        """int32 [n]: the numbers of `entry_bits` bits at these places of the byte string."""
        bit = entry * self.entry_bits
        byte = bit // 8
        shift = bit - byte * 8
        # A number lies in at most four bytes. Its lower bits come from the first three, so that
        # nothing outgrows 31 bits; what is above them is added at its own place.
        parts = [tf.cast(tf.gather(self.packed, byte + more), tf.int32) for more in range(4)]
        low = parts[0] + parts[1] * 2**8 + parts[2] * 2**16
        power = tf.gather(tf.constant(2 ** np.arange(8), tf.int32), shift)
        rest = tf.gather(tf.constant(2 ** (24 - np.arange(8)), tf.int32), shift)
        number = low // power
        if self.entry_bits > 24 - 7:
            # Of the fourth byte only as many bits as the number still needs.
            needed = tf.gather(
                tf.constant(2 ** np.clip(self.entry_bits - 24 + np.arange(8), 0, 8), tf.int32),
                shift,
            )
            number += (parts[3] - parts[3] // needed * needed) * rest
        return number - number // 2**self.entry_bits * 2**self.entry_bits

    def unpacked(self) -> sparse.csr_array:
        """The weights that the bits stand for: float32 CSR [V + 1, V + 1]."""
        bits = np.unpackbits(self.packed.numpy(), bitorder="little")
        each = bits[: self.entries * self.entry_bits].reshape(-1, self.entry_bits)
        numbers = each.astype(np.int64) @ (1 << np.arange(self.entry_bits))
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


def _pack(numbers: np.ndarray, bits: int, size: int) -> np.ndarray:
    """uint8 [size]: the numbers one after the other, lowest bit first."""
    each = (numbers[:, None] >> np.arange(bits)) & 1
    packed = np.packbits(each.astype(np.uint8).ravel(), bitorder="little")
    return np.concatenate([packed, np.zeros(size - len(packed), np.uint8)])

"""A small student of high rank: books speak for each other through an exponential kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories
from kd_tf.layers.quantized_embedding import QuantizedEmbedding, check_bits
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.additive import AdditiveModel

MASKED_BIAS = -1e4
"""A bias that exp turns into 0."""

MASKED_BIAS_MARGIN = 10.0
"""So far below all others a bias means as little as never: exp(-10) is 5e-5."""

_BLOCK_SIZE = 256


@keras.saving.register_keras_serializable(package="kd_tf")
class ItemKernelStudent(AdditiveModel):
    """``added(h, i) = exp(<e_h, e_i> + b_i + c_h)``.

    A dot product of d dimensions can hold a matrix of rank d only; the matrix of which book goes
    with which has a far higher one, but is sparse and positive, and the exponential of a low-rank
    matrix can be both. `fit_kernel` learns it row by row from a teacher, without readers.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        bits: Of a number of the table in a file, 8 or 4.
    """

    quantized_weights = ("table",)

    def __init__(self, *, embedding_dim: int = 32, bits: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if embedding_dim < 1:
            raise ValueError(f"dimensions must be at least 1, not {embedding_dim}")
        self.embedding_dim, self.bits = embedding_dim, check_bits(bits)
        self.table = QuantizedEmbedding(
            self,
            "table",
            embedding_dim,
            int4=self.quantized and bits == 4,
            initializer=keras.initializers.RandomNormal(stddev=0.3),
        )
        self.target_bias = QuantizedVector(self, "target_bias", quantized=self.quantized)
        self.history_bias = QuantizedVector(
            self, "history_bias", quantized=self.quantized, initial_value=-4.0
        )

    def assign(self, table: np.ndarray, target_bias: np.ndarray, history_bias: np.ndarray) -> None:
        """Takes over a fitted kernel: [V + 1, d], [V + 1] and [V + 1], row 0 is ignored.

        Raises:
            ValueError: A shape is another.
        """
        if table.shape != (self.num_items + 1, self.embedding_dim):
            raise ValueError(
                f"the table must be [{self.num_items + 1}, {self.embedding_dim}], not "
                f"{list(table.shape)}: it belongs to another catalogue"
            )
        for bias in (target_bias, history_bias):
            if bias.shape != (self.num_items + 1,):
                raise ValueError(
                    f"biases must be [{self.num_items + 1}], not {list(bias.shape)}: they belong to "
                    "another catalogue"
                )
        self.table.assign(table)
        self.target_bias.assign(target_bias)
        self.history_bias.assign(history_bias)

    def pack(self) -> ItemKernelStudent:
        compact = type(self).from_config({**self.get_config(), "coded": True})
        compact.create_weights()
        vectors = self.target_bias.numpy(), self.history_bias.numpy()
        compact.assign(self.table.numpy(), *(_clip_masked_biases(one) for one in vectors))
        compact.prior.assign(self.prior.numpy())
        return compact

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        there = ids > 0
        history = tf.where(there, self.history_bias.gather(ids), MASKED_BIAS)
        inner = self.table.dot_products(self.table.gather(ids), ids)
        return tf.exp(inner + self.target_bias.gather_all(ids) + tf.expand_dims(history, 1))

    def candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        history = tf.where(ids > 0, self.history_bias.gather(ids), MASKED_BIAS)
        inner = tf.matmul(self.table.gather(ids), self.table.gather(candidates), transpose_b=True)
        target = self.target_bias.gather(candidates)
        return tf.exp(inner + tf.expand_dims(target, 1) + tf.expand_dims(history, 2))

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        table, target = self.table.numpy(), self.target_bias.numpy()
        history = self.history_bias.numpy()
        scores = np.tile(self.prior.numpy(), (len(histories), 1))
        items = np.unique(read.indices)
        columns = read.tocsc()
        for start in range(0, len(items), _BLOCK_SIZE):
            some = items[start : start + _BLOCK_SIZE]
            inner = table[some] @ table.T
            inner += target
            inner += history[some, None]
            scores += columns[:, some] @ np.exp(inner, out=inner)
        return scores

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dimensions": self.embedding_dim, "bits": self.bits}


def _clip_masked_biases(bias: np.ndarray) -> np.ndarray:
    """Biases of books that never count brought near the others: 256 steps span their range."""
    counted = bias > MASKED_BIAS / 2
    lowest = float(bias[counted].min()) if counted.any() else 0.0
    near = np.maximum(bias, lowest - MASKED_BIAS_MARGIN)
    near[0] = lowest  # never read: it need not stretch the range
    return np.asarray(near, np.float32)

"""One vector a book, as floats to be trained or as whole numbers of four bits to be shipped."""

from __future__ import annotations

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.layers.quantized_vector import QuantizedVector

INT4_MAX = 7
"""Four bits count from -7 to 7: -8 would have no counterpart."""


class QuantizedEmbedding:
    """The rows that histories are looked up in and that candidates are scored with.

    Packed, a row is d numbers of four bits and one byte for its scale (`BookVector`): the
    largest number of every row is 7 steps. Two numbers share a byte, the first in its lower
    half, as TensorFlow Lite lays out its INT4 tensors, so that one buffer of a file can serve as
    the bytes that rows are taken from and as the weights of a product
    (`kd_tf.tflite.passes.share_table`).

    Args:
        model: Whose weights it becomes.
        name: Of the weights.
        dimensions: d; even where it is packed.
        packed: Whether it is stored in four bits. Then it is not trained.
        initializer: Of the floats.
    """

    def __init__(
        self,
        model: keras.Model,
        name: str,
        embedding_dim: int,
        *,
        int4: bool = False,
        initializer: str | keras.initializers.Initializer = "zeros",
    ) -> None:
        shape = (model.items + 1, embedding_dim)
        self.embedding_dim, self.is_int4 = embedding_dim, int4
        if not int4:
            self.embeddings = model.add_weight(name=name, shape=shape, initializer=initializer)
            return
        if embedding_dim % 2:
            raise ValueError(f"rows of four-bit numbers need an even d, not {embedding_dim}")
        self.nibbles = model.add_weight(
            name=f"{name}_nibbles",
            shape=(shape[0], embedding_dim // 2),
            dtype="uint8",
            initializer="zeros",
            trainable=False,
        )
        # The same numbers as the operand of products: in a file both are one buffer.
        self.int_values = model.add_weight(
            name=f"{name}_steps", shape=shape, initializer="zeros", trainable=False
        )
        self.scale = QuantizedVector(model, f"{name}_scale", quantized=True, spacing="square")

    def assign(self, table: np.ndarray) -> None:
        """Takes over float32 [V + 1, d]; packed, every number becomes the nearest step."""
        if not self.is_int4:
            self.embeddings.assign(table)
            return
        self.scale.assign(np.abs(table).max(axis=1) / INT4_MAX)
        step = np.maximum(self.scale.numpy(), 1e-30)[:, None]
        self.assign_int_values(np.clip(np.round(table / step), -INT4_MAX, INT4_MAX))

    def assign_int_values(self, int_values: np.ndarray) -> None:
        """Takes over the numbers of a packed table that are rounded already for its `scale`.

        Args:
            steps: float32 [V + 1, d], whole numbers from -7 to 7.
        """
        self.int_values.assign(int_values)
        self.nibbles.assign(pack_nibbles(int_values))

    def numpy(self) -> np.ndarray:
        """float32 [V + 1, d]."""
        if not self.is_int4:
            return np.asarray(self.embeddings.numpy())
        return np.asarray(self.int_values.numpy() * self.scale.numpy()[:, None])

    def gather(self, ids: tf.Tensor) -> tf.Tensor:
        """The vectors of some books: float32 [..., d] for int32 [...]."""
        if not self.is_int4:
            return tf.gather(self.embeddings, ids)
        both = tf.cast(tf.gather(self.nibbles, ids), tf.int32)
        upper = both // 16
        halves = tf.stack([both - upper * 16, upper], axis=-1)
        # 0..7 are themselves, 8..15 stand for -8..-1.
        signed = halves - tf.where(halves < 8, 0, 16)
        flat = tf.reshape(signed, tf.concat([tf.shape(ids), [self.embedding_dim]], axis=0))
        flat.set_shape([*ids.shape, self.embedding_dim])
        return tf.cast(flat, tf.float32) * tf.expand_dims(self.scale.gather(ids), -1)

    def dot_products(self, vectors: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Every book's row times each vector: float32 [n, V + 1] for float32 [n, d].

        Args:
            vectors: The vectors.
            ids: Any known ids that depend on the input (see `BookVector.all`).
        """
        if not self.is_int4:
            return tf.matmul(vectors, self.embeddings, transpose_b=True)
        return tf.matmul(vectors, self.int_values, transpose_b=True) * self.scale.gather_all(ids)


def check_bits(bits: int) -> int:
    """Bits of a number in a file, 4 or 8; ValueError for others."""
    if bits not in (4, 8):
        raise ValueError(f"bits must be 4 or 8, not {bits}")
    return bits


def pack_nibbles(int_values: np.ndarray) -> np.ndarray:
    """uint8 [n, d / 2]: whole numbers from -8 to 7, [n, d], two in a byte, the first below."""
    bits = int_values.astype(np.int8).view(np.uint8) & 15
    return np.asarray(bits[:, 0::2] | bits[:, 1::2] << 4)

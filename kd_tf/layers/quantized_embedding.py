"""An embedding table: trainable floats, or int4 values with one scale per row for export."""

from __future__ import annotations

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.layers.quantized_vector import QuantizedVector

INT4_MAX = 7
"""Largest int4 magnitude used: -8 is left out so that the grid is symmetric."""


class QuantizedEmbedding:
    """An item embedding table, used to look up history rows and to score candidates.

    In int4, a row is d values of four bits and a scale of one byte (`QuantizedVector`). The scale
    maps the largest magnitude of each row to 7. Two values share a byte, the first in the lower
    half, which is TensorFlow Lite's layout of INT4 tensors. One buffer of a file can therefore
    serve both the row look-up and the matrix product (`kd_tf.tflite.passes.share_table`).

    Args:
        model: The model that the weights are added to; it has `num_items` V.
        name: Name of the weight, or prefix of the weights' names in int4.
        embedding_dim: d; must be even in int4.
        int4: True stores four-bit values, which are not trainable.
        initializer: Initializer of the float table.

    Raises:
        ValueError: `embedding_dim` is odd in int4.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import keras, tf
        >>> model = keras.Model()
        >>> model.num_items = 2
        >>> table = QuantizedEmbedding(model, "table", embedding_dim=2, int4=True)
        >>> table.assign(np.array([[0, 0], [7, 3], [-2, 1.1]], np.float32))
        >>> table.gather(tf.constant([1, 2])).numpy().round(2)
        array([[ 7.  ,  3.  ],
               [-1.99,  1.14]], dtype=float32)
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
        shape = (model.num_items + 1, embedding_dim)
        self.embedding_dim, self.is_int4 = embedding_dim, int4
        if not int4:
            self.embeddings = model.add_weight(name=name, shape=shape, initializer=initializer)
            return
        if embedding_dim % 2:
            raise ValueError(f"embedding_dim must be even for int4, not {embedding_dim}")
        self.nibbles = model.add_weight(
            name=f"{name}_nibbles",
            shape=(shape[0], embedding_dim // 2),
            dtype="uint8",
            initializer="zeros",
            trainable=False,
        )
        # The same values as the operand of matrix products; in a file both are one buffer.
        self.int_values = model.add_weight(
            name=f"{name}_int_values", shape=shape, initializer="zeros", trainable=False
        )
        self.scale = QuantizedVector(model, f"{name}_scale", is_quantized=True, spacing="square")

    def assign(self, table: np.ndarray) -> None:
        """Stores a table, float32 [V + 1, d]; int4 rounds to the nearest representable value."""
        if not self.is_int4:
            self.embeddings.assign(table)
            return
        self.scale.assign(np.abs(table).max(axis=1) / INT4_MAX)
        step = np.maximum(self.scale.numpy(), 1e-30)[:, None]
        self.assign_int_values(np.clip(np.round(table / step), -INT4_MAX, INT4_MAX))

    def assign_int_values(self, int_values: np.ndarray) -> None:
        """Stores int4 values that are already rounded for the current `scale`.

        Args:
            int_values: float32 [V + 1, d], whole numbers from -7 to 7.
        """
        self.int_values.assign(int_values)
        self.nibbles.assign(pack_nibbles(int_values))

    def numpy(self) -> np.ndarray:
        """Returns the table as floats: float32 [V + 1, d]."""
        if not self.is_int4:
            return np.asarray(self.embeddings.numpy())
        return np.asarray(self.int_values.numpy() * self.scale.numpy()[:, None])

    def gather(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks up the rows of `ids`, int32 [...]: float32 [..., d]."""
        if not self.is_int4:
            return tf.gather(self.embeddings, ids)
        pairs = tf.cast(tf.gather(self.nibbles, ids), tf.int32)
        upper = pairs // 16
        halves = tf.stack([pairs - upper * 16, upper], axis=-1)
        # Two's complement: 0..7 are themselves, 8..15 stand for -8..-1.
        signed_values = halves - tf.where(halves < 8, 0, 16)
        flat = tf.reshape(signed_values, tf.concat([tf.shape(ids), [self.embedding_dim]], axis=0))
        flat.set_shape([*ids.shape, self.embedding_dim])
        return tf.cast(flat, tf.float32) * tf.expand_dims(self.scale.gather(ids), -1)

    def dot_products(self, vectors: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Computes the dot product of every row with each vector.

        Args:
            vectors: float32 [n, d].
            ids: Any valid ids that depend on the model's input, see `QuantizedVector.gather_all`.

        Returns:
            float32 [n, V + 1].
        """
        if not self.is_int4:
            return tf.matmul(vectors, self.embeddings, transpose_b=True)
        return tf.matmul(vectors, self.int_values, transpose_b=True) * self.scale.gather_all(ids)


def check_bits(bits: int) -> int:
    """Returns `bits` if it is 4 or 8 and raises ValueError otherwise."""
    if bits not in (4, 8):
        raise ValueError(f"bits must be 4 or 8, not {bits}")
    return bits


def pack_nibbles(int_values: np.ndarray) -> np.ndarray:
    """Packs integers from -8 to 7, [n, d], two per byte, the first in the lower half.

    Returns:
        uint8 [n, d / 2].
    """
    bits = int_values.astype(np.int8).view(np.uint8) & 15
    return np.asarray(bits[:, 0::2] | bits[:, 1::2] << 4)

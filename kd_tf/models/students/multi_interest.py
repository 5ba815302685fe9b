"""A student that keeps several interests of a reader apart."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.losses.softmax import MASKED_LOGIT
from kd_tf.models.tied_embedding import IN_BATCH, TiedEmbeddingModel


@keras.saving.register_keras_serializable(package="kd_tf")
class MultiInterestStudent(TiedEmbeddingModel):
    """Attends to the history once for each interest; a book is scored by the sum of their odds.

    ``score(i) = b_i + log sum over k of exp(s <u_k, e_i>)`` with u_k the k-th attention's mean
    row, of length 1. Self-attentive interests as in Cen et al., "Controllable Multi-Interest
    Framework for Recommendation" (ComiRec, 2020), joined by a soft maximum, so that a book that
    fits one of them well beats a book that fits all of them a little.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        interests: K.
        book_dropout: See `TiedTableModel`.
    """

    # Its scores go through operators that the integer pass does not know.
    quantizations = ("float32", "float16", "dynamic-int8")

    is_order_sensitive = False

    def __init__(
        self,
        *,
        num_items: int,
        max_length: int,
        embedding_dim: int = 32,
        num_interests: int = 4,
        item_dropout: float = 0.3,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_items=num_items,
            max_length=max_length,
            embedding_dim=embedding_dim,
            item_dropout=item_dropout,
            **kwargs,
        )
        if self.objective == IN_BATCH:
            raise ValueError("several interests cannot be trained in-batch")
        if num_interests < 1:
            raise ValueError(f"interests must be at least 1, not {num_interests}")
        self.num_interests = num_interests
        self.attention = self.add_weight(
            name="attention",
            shape=(embedding_dim, num_interests),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
        )
        self.bias = self.add_weight(name="bias", shape=(num_items + 1,), initializer="zeros")
        self.sharpness = self.add_weight(
            name="sharpness", shape=(), initializer=keras.initializers.Constant(10.0)
        )

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """float32 [B, K, d], the interests, each of length s; zeros for an empty history."""
        attended = tf.matmul(tf.nn.tanh(rows), self.attention)
        there = tf.expand_dims(weights, 2) > 0
        share = tf.nn.softmax(
            tf.where(there, attended, max(MASKED_LOGIT, attended.dtype.min)), axis=1
        )
        share = tf.where(there, share, 0.0) * tf.expand_dims(weights, 2)
        interests = tf.matmul(share, rows, transpose_a=True)
        length = tf.reduce_sum(tf.square(interests), axis=2, keepdims=True)
        # Here and not before the product: there a converter multiplies a copy of the table with s.
        return interests * (self.sharpness * tf.math.rsqrt(length + 1e-6))

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(candidates)
        interests = self.user_embeddings(history)
        products = tf.matmul(interests, tf.gather(self.scoring_table, ids), transpose_b=True)
        odds = tf.reduce_logsumexp(products, axis=1) + tf.gather(self.bias, ids)
        return tf.where(ids > 0, odds, 0.0)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        flat = tf.reshape(self.user_embeddings(inputs, training), [-1, self.embedding_dim])
        scores = tf.matmul(flat, self.scoring_table, transpose_b=True)
        scores = tf.reshape(scores, [-1, self.num_interests, self.num_items + 1])
        return tf.reduce_logsumexp(scores, axis=1) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_interests": self.num_interests}

"""A student that represents a user by several interests."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.losses.softmax import MASKED_LOGIT
from kd_tf.models.tied_embedding import IN_BATCH, TiedEmbeddingModel


@keras.saving.register_keras_serializable(package="kd_tf")
class MultiInterestStudent(TiedEmbeddingModel):
    """Attends to the history once per interest and scores an item by all interests.

    ``score(i) = b_i + log sum over k of exp(s <u_k, e_i>)``, with u_k the mean embedding of the
    k-th attention, scaled to length 1. Self-attentive interests as in Cen et al., "Controllable
    Multi-Interest Framework for Recommendation" (ComiRec, 2020), combined by a soft maximum: an
    item that fits one interest well beats an item that fits all of them a little.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings, d.
        num_interests: Number of interests, K.
        item_dropout: See `TiedEmbeddingModel`.
        **kwargs: As for `TiedEmbeddingModel`.

    Raises:
        ValueError: `num_interests` is below 1, or the objective is in-batch.

    Example:
        >>> from kd_tf.backend import tf
        >>> student = MultiInterestStudent(num_items=100, max_length=5, embedding_dim=8)
        >>> student.user_embeddings(tf.constant([[3, 1, 4, 0, 0]])).shape
        TensorShape([1, 4, 8])
    """

    # Not int8: the scores pass through operators that the integer pass does not support.
    quantizations = ("float32", "float16", "dynamic-int8")

    is_order_sensitive = False

    def __init__(
        self,
        num_items: int,
        *,
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
            raise ValueError("a multi-interest student needs the objective full-softmax")
        if num_interests < 1:
            raise ValueError(f"num_interests must be at least 1, not {num_interests}")
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

    @property
    def item_tables(self) -> list[tf.Variable]:
        return [*super().item_tables, self.bias]

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the interests, float32 [B, K, d], of length s; zeros for an empty history."""
        logits = tf.matmul(tf.nn.tanh(rows), self.attention)
        mask = tf.expand_dims(weights, 2) > 0
        attention = tf.nn.softmax(
            tf.where(mask, logits, max(MASKED_LOGIT, logits.dtype.min)), axis=1
        )
        attention = tf.where(mask, attention, 0.0) * tf.expand_dims(weights, 2)
        interests = tf.matmul(attention, rows, transpose_a=True)
        squared_length = tf.reduce_sum(tf.square(interests), axis=2, keepdims=True)
        # Scale the interests, not their product with the table: there the converter would store a
        # second copy of the table, multiplied by s.
        return interests * (self.sharpness * tf.math.rsqrt(squared_length + 1e-6))

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(candidates)
        interests = self.user_embeddings(history)
        products = tf.matmul(interests, tf.gather(self.scoring_table, ids), transpose_b=True)
        scores = tf.reduce_logsumexp(products, axis=1) + tf.gather(self.bias, ids)
        return tf.where(ids > 0, scores, 0.0)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        interests = tf.reshape(self.user_embeddings(inputs, training), [-1, self.embedding_dim])
        scores = tf.matmul(interests, self.scoring_table, transpose_b=True)
        scores = tf.reshape(scores, [-1, self.num_interests, self.num_items + 1])
        return tf.reduce_logsumexp(scores, axis=1) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_interests": self.num_interests}

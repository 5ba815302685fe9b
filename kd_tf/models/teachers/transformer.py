"""A self-attentive teacher."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.layers.dropout import Dropout
from kd_tf.layers.pooling import make_item_mask, pool_weighted_rows
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher


@keras.saving.register_keras_serializable(package="kd_tf")
class TransformerTeacher(WideAndDeepTeacher):
    """Applies blocks of self-attention to the history, with position embeddings.

    After Kang & McAuley, "Self-Attentive Sequential Recommendation" (SASRec, 2018). Attention is
    not causal, because the model predicts the next items once per history and not after each of
    its items. Positions count from the newest item. The user embedding is the pooled item
    embeddings plus a dense layer over them and the state of the newest item.

    Args:
        num_items: Number of items, V.
        max_length: Length of the history, L.
        embedding_dim: Width of the embeddings, d.
        attention_dim: Width of the attention states.
        num_heads: Number of attention heads.
        num_blocks: Number of attention blocks.
        item_dropout: See `TiedEmbeddingModel`.
        dropout: Dropout rate inside the blocks.
        **kwargs: As for `WideAndDeepTeacher`.
    """

    def __init__(
        self,
        num_items: int,
        *,
        max_length: int,
        embedding_dim: int = 512,
        attention_dim: int = 128,
        num_heads: int = 4,
        num_blocks: int = 2,
        item_dropout: float = 0.5,
        dropout: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_items=num_items,
            max_length=max_length,
            embedding_dim=embedding_dim,
            item_dropout=item_dropout,
            **kwargs,
        )
        self.attention_dim, self.num_heads, self.num_blocks, self.dropout = (
            attention_dim,
            num_heads,
            num_blocks,
            dropout,
        )
        self.projection = keras.layers.Dense(attention_dim)
        self.position_embedding = self.add_weight(
            name="position_embedding",
            shape=(max_length, attention_dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        self.attentions = [
            keras.layers.MultiHeadAttention(
                num_heads, attention_dim // num_heads or 1, dropout=dropout
            )
            for _ in range(num_blocks)
        ]
        self.layer_norms = [keras.layers.LayerNormalization() for _ in range(2 * num_blocks)]
        self.feed_forward = [
            keras.Sequential(
                [
                    keras.layers.Dense(2 * attention_dim, activation="relu"),
                    Dropout(dropout),
                    keras.layers.Dense(attention_dim),
                ]
            )
            for _ in range(num_blocks)
        ]
        self.core = keras.layers.Dense(embedding_dim)

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the user embeddings, float32 [B, d]; see `TiedEmbeddingModel.encode`."""
        mask = make_item_mask(weights)
        is_item = mask[:, :, 0]
        position = tf.cast(tf.cumsum(is_item, axis=1, reverse=True, exclusive=True), tf.int32)
        states = (self.projection(rows) + tf.gather(self.position_embedding, position)) * mask
        attention_mask = tf.cast(is_item, tf.bool)[:, tf.newaxis, :]
        for block in range(self.num_blocks):
            normalized_states = self.layer_norms[2 * block](states)
            attention = self.attentions[block](
                normalized_states,
                normalized_states,
                attention_mask=attention_mask,
                training=training,
            )
            states = (states + attention) * mask
            normalized_states = self.layer_norms[2 * block + 1](states)
            states = (
                states + self.feed_forward[block](normalized_states, training=training)
            ) * mask
        is_newest = tf.cast(is_item, tf.float32) * tf.cast(position == 0, tf.float32)
        newest = tf.matmul(is_newest[:, tf.newaxis], states)[:, 0]
        pooled_rows = pool_weighted_rows(rows, weights)
        return pooled_rows + self.core(tf.concat([pooled_rows, newest], axis=1))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "attention_dim": self.attention_dim,
            "num_heads": self.num_heads,
            "num_blocks": self.num_blocks,
            "dropout": self.dropout,
        }

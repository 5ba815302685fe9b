"""A self-attentive teacher."""

from __future__ import annotations

from typing import Any

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher
from kd_tf.models.tied_embedding import make_item_mask, pool_weighted_rows


@keras.saving.register_keras_serializable(package="kd_tf")
class TransformerTeacher(WideAndDeepTeacher):
    """Blocks of self-attention over the history, with a vector for every age of a book.

    After Kang & McAuley, "Self-Attentive Sequential Recommendation" (SASRec, 2018). Every book of
    the history sees every other, as what follows is asked once for a whole history and not after
    each of its books; the reader is the newest book's state beside the pooled rows.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        width: Of the attention's states.
        heads: Attentions side by side.
        blocks: How many follow each other.
        book_dropout: See `TiedTableModel`.
        dropout: Inside the blocks.
    """

    def __init__(
        self,
        *,
        num_items: int,
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
            name="age",
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
                    rng.Dropout(dropout),
                    keras.layers.Dense(attention_dim),
                ]
            )
            for _ in range(num_blocks)
        ]
        self.core = keras.layers.Dense(embedding_dim)

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        real = make_item_mask(weights)
        present = real[:, :, 0]
        behind = tf.cast(tf.cumsum(present, axis=1, reverse=True, exclusive=True), tf.int32)
        states = (self.projection(rows) + tf.gather(self.position_embedding, behind)) * real
        visible = tf.cast(present, tf.bool)[:, tf.newaxis, :]
        for block in range(self.num_blocks):
            normed = self.layer_norms[2 * block](states)
            attended = self.attentions[block](
                normed, normed, attention_mask=visible, training=training
            )
            states = (states + attended) * real
            normed = self.layer_norms[2 * block + 1](states)
            states = (states + self.feed_forward[block](normed, training=training)) * real
        newest = tf.cast(present, tf.float32) * tf.cast(behind == 0, tf.float32)
        last = tf.matmul(newest[:, tf.newaxis], states)[:, 0]
        own = pool_weighted_rows(rows, weights)
        return own + self.core(tf.concat([own, last], axis=1))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "attention_dim": self.attention_dim,
            "num_heads": self.num_heads,
            "num_blocks": self.num_blocks,
            "dropout": self.dropout,
        }

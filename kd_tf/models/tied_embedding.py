"""Models with one table of books, read both for the history and for scoring."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf, tfrs
from kd_tf.models.base import HistoryModel

FULL_SOFTMAX = "full-softmax"
IN_BATCH = "in-batch"


class TiedEmbeddingModel(HistoryModel):
    """Encodes a history into one vector and scores a book by its dot product with its row.

    One table [V + 1, d] serves the history and the scores ("tied" as in Press & Wolf, "Using the
    Output Embedding to Improve Language Models", 2017): half the bytes, and in a .tflite file the
    table is nearly all of them. Row 0 belongs to padding and never reaches a result.

    A subclass implements `encode`.

    Args:
        books: V.
        history_length: L.
        dimensions: d, the width of a row.
        book_dropout: In training each book of a history is left out with this probability, as
            in the denoising autoencoders of Liang et al. (2018).

    Attributes:
        ordered: Whether `encode` looks at which books stand beside each other. Then gaps are
            closed before.
    """

    quantized_weights: tuple[str, ...] = ("table",)
    quantizations: tuple[str, ...] = ("float32", "float16", "dynamic-int8", "int8", "int4")
    is_order_sensitive = True

    def __init__(
        self,
        *,
        num_items: int,
        max_length: int,
        embedding_dim: int,
        item_dropout: float = 0.0,
        objective: str = FULL_SOFTMAX,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_items=num_items, max_length=max_length, **kwargs)
        if embedding_dim < 1:
            raise ValueError(f"dimensions must be at least 1, not {embedding_dim}")
        if not 0 <= item_dropout < 1:
            raise ValueError(f"book_dropout must be in [0, 1), not {item_dropout}")
        if objective not in (FULL_SOFTMAX, IN_BATCH):
            raise ValueError(f"objective must be {FULL_SOFTMAX} or {IN_BATCH}, not {objective!r}")
        self.embedding_dim = embedding_dim
        self.objective = objective
        self._retrieval = tfrs.tasks.Retrieval(remove_accidental_hits=True)
        self._sampling_probability: tf.Tensor | None = None
        self.item_dropout = item_dropout
        self.table = self.add_weight(
            name="table",
            shape=(num_items + 1, embedding_dim),
            initializer=keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
        )
        # How much a book counts by its age: 0 for the newest. Starts even for all, which is
        # what it stays where the order of a history means nothing.
        self.recency = self.add_weight(
            name="recency", shape=(max_length,), initializer=keras.initializers.Constant(1.0)
        )
        self._dropout = rng.Dropout(item_dropout)

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """The reader as one vector.

        Args:
            rows: float32 [B, L, d], the history's rows; where there is no book the padding row,
                which means nothing.
            weights: float32 [B, L], how much each book counts, 0 where there is none. In
                training a book that is kept counts 1 / (1 - book_dropout) times as much, so
                that sums keep their size.
            training: True switches dropout on.

        Returns:
            float32 [B, d].
        """
        raise NotImplementedError

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        # transpose_b on the table itself: the form that the converter turns into one
        # FULLY_CONNECTED over the very buffer that GATHER reads.
        return tf.matmul(
            self.user_embeddings(inputs, training), self.scoring_table, transpose_b=True
        )

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What a book's row is multiplied with: float32 [B, d] of histories int32 [B, L]."""
        ids = self.encoder_ids(history)
        weights = self.item_weights(ids)
        if training and self.item_dropout:
            weights = self._dropout(weights, training=True)
        # In the dtype of the layers within, which is half precision where Keras is told so.
        rows, weights = (
            tf.cast(one, self.compute_dtype) for one in (tf.gather(self.table, ids), weights)
        )
        return self.encode(rows, weights, training)

    def encoder_ids(self, history: tf.Tensor) -> tf.Tensor:
        """int32 [B, L]: the books of histories as `encode` takes their rows."""
        return self.compact_ids(history) if self.is_order_sensitive else self.deduplicate(history)

    def item_embeddings(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.scoring_table)

    def item_weights(self, ids: tf.Tensor) -> tf.Tensor:
        """How much each book of a history counts by its age: float32 [B, L], 0 for padding."""
        present = tf.minimum(ids, 1)
        age = tf.cumsum(present, axis=1, reverse=True, exclusive=True)
        # Of the weights and not of what is gathered: a constant of the exported model.
        weights = tf.nn.softplus(tf.convert_to_tensor(self.recency))
        return tf.cast(present, weights.dtype) * tf.gather(weights, age)

    @property
    def scoring_table(self) -> tf.Variable:
        """float32 [V + 1, d]: what a reader's vector is multiplied with, the tied table itself."""
        return self.table

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        # Of the candidates' rows alone: the catalogue may be a thousand times as long.
        ids = self.mask_unknown_ids(candidates)
        rows = tf.gather(self.scoring_table, ids)
        vectors = self.user_embeddings(history)
        products = tf.squeeze(tf.matmul(rows, tf.expand_dims(vectors, 2)), 2)
        return tf.where(ids > 0, products, 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(self.scoring_table, self.mask_unknown_ids(item))
        return tf.matmul(rows, self.scoring_table, transpose_b=True)

    def adapt(self, popularity: np.ndarray) -> None:
        """Tells the in-batch objective how often each book is drawn as a target.

        Without it popular books, which stand in most batches, would be pushed down (the log-Q
        correction of Yi et al., "Sampling-Bias-Corrected Neural Modeling", 2019).

        Args:
            popularity: [V + 1], how many training readers have each book.
        """
        share = np.maximum(popularity, 1) / max(popularity.sum(), 1)
        self._sampling_probability = tf.constant(share, tf.float32)

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        if self.objective == FULL_SOFTMAX:
            return super().train_step(data)
        if self._sampling_probability is None:
            raise ValueError("call adapt(popularity) before fitting in-batch")
        history, labels = data
        # One target of each reader, drawn among those that are not padding.
        drawn = rng.sample_categorical(tf.where(labels["targets"] > 0, 0.0, -1e9), 1)
        target = tf.gather(labels["targets"], drawn[:, 0], batch_dims=1)
        with tf.GradientTape() as tape:
            loss = self._retrieval(
                self.user_embeddings(history, training=True),
                tf.gather(self.scoring_table, target),
                candidate_ids=target,
                candidate_sampling_probability=tf.gather(self._sampling_probability, target),
                compute_metrics=False,
            ) / tf.cast(tf.shape(history)[0], tf.float32)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dimensions": self.embedding_dim,
            "book_dropout": self.item_dropout,
            "objective": self.objective,
        }


def pool_weighted_rows(rows: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Weighted sum of the rows over the square root of the weights' sum: float32 [B, d].

    Between mean and sum: a mean forgets how much is known of a reader, a sum lets readers with
    long histories drown the rest. Zero for no rows. One matrix product, because in an integer
    model that rounds once, where a product and a sum round for every book.

    Args:
        rows: float32 [B, L, d].
        weights: float32 [B, L], not negative.
    """
    total = tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
    return tf.squeeze(tf.matmul(tf.expand_dims(weights / tf.sqrt(total), 1), rows), 1)


def make_item_mask(weights: tf.Tensor) -> tf.Tensor:
    """float32 [B, L, 1]: 1 where there is a book, whatever it weighs."""
    return tf.expand_dims(tf.cast(weights > 0, weights.dtype), -1)

"""Models with one embedding table for both the history and the scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf, tfrs
from kd_tf.data.split import TrainingSet
from kd_tf.encoders.base import normalize_rows
from kd_tf.layers.dropout import Dropout
from kd_tf.layers.id_ops import compact_ids, deduplicate
from kd_tf.models.base import HistoryModel
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.trainable import minimize_loss

FULL_SOFTMAX = "full-softmax"
IN_BATCH = "in-batch"


class TiedEmbeddingModel(HistoryModel):
    """Base of models that encode a history into one vector and score items by dot product.

    One table [V + 1, d] serves as input and output embedding ("tied" as in Press & Wolf, "Using the
    Output Embedding to Improve Language Models", 2017). That halves the size, as the table is
    nearly all of a .tflite file. Row 0 belongs to padding and does not influence any result.

    A subclass implements `encode`.

    Args:
        num_items: V.
        max_length: L.
        embedding_dim: d.
        item_dropout: In training each item of a history is dropped with this probability, as in the
            denoising autoencoders of Liang et al. (2018).
        objective: The training loss: `FULL_SOFTMAX`, over the whole catalog, or `IN_BATCH`, over
            the targets of the batch.
        embeddings_regularizer: Keras regularizer of the table, such as
            ``keras.regularizers.L2(1e-6)``; its penalty is added to the training loss.
        **kwargs: Arguments of `keras.Model`.

    Attributes:
        is_order_sensitive: Whether `encode` depends on the positions of the items. If so, gaps are
            closed before.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> from kd_tf.backend import tf
        >>> from kd_tf.layers.pooling import pool_weighted_rows
        >>> class MeanModel(TiedEmbeddingModel):
        ...     def encode(self, rows, weights, training):
        ...         return pool_weighted_rows(rows, weights)
        >>> model = MeanModel(num_items=3, max_length=2, embedding_dim=4)
        >>> model(tf.constant([[1, 2]])).shape
        TensorShape([1, 4])
        >>> model.user_embeddings(tf.constant([[1, 2]])).shape, model.item_embeddings().shape
        (TensorShape([1, 4]), TensorShape([4, 4]))
    """

    quantized_weights: tuple[str, ...] = ("table",)
    quantizations: tuple[str, ...] = ("float32", "float16", "dynamic-int8", "int8", "int4")
    is_order_sensitive = True

    def __init__(
        self,
        num_items: int,
        *,
        max_length: int,
        embedding_dim: int,
        item_dropout: float = 0.0,
        objective: str = FULL_SOFTMAX,
        embeddings_regularizer: keras.regularizers.Regularizer | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_items=num_items, max_length=max_length, **kwargs)
        if embedding_dim < 1:
            raise ValueError(f"embedding_dim must be at least 1, not {embedding_dim}")
        if not 0 <= item_dropout < 1:
            raise ValueError(f"item_dropout must be in [0, 1), not {item_dropout}")
        if objective not in (FULL_SOFTMAX, IN_BATCH):
            raise ValueError(f"objective must be {FULL_SOFTMAX} or {IN_BATCH}, not {objective!r}")
        self.embedding_dim = embedding_dim
        self.objective = objective
        self._retrieval = tfrs.tasks.Retrieval(remove_accidental_hits=True)
        self._sampling_probability: tf.Tensor | None = None
        self.item_dropout = item_dropout
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self.table = self.add_weight(
            name="table",
            shape=(num_items + 1, embedding_dim),
            regularizer=self.embeddings_regularizer,
            initializer=keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
        )
        # Weight of an item by its age, 0 for the newest. It starts equal for all ages, and stays so
        # where the order of a history carries no information.
        self.recency = self.add_weight(
            name="recency", shape=(max_length,), initializer=keras.initializers.Constant(1.0)
        )
        self._dropout = Dropout(item_dropout)

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        """Encodes each history into a user embedding.

        Args:
            rows: float32 [B, L, d], embeddings of the history items; positions without an item have
                the padding row, which must be ignored.
            weights: float32 [B, L], weight of each item, 0 for positions without an item. In
                training the items that dropout keeps are scaled by 1 / (1 - item_dropout).
            training: True enables dropout.

        Returns:
            float32 [B, d].
        """
        raise NotImplementedError

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        # With transpose_b on the table itself the converter emits one FULLY_CONNECTED that reads
        # the same buffer as GATHER.
        return tf.matmul(
            self.user_embeddings(inputs, training), self.scoring_table, transpose_b=True
        )

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Computes the user embeddings: float32 [B, d] of histories int32 [B, L]."""
        ids = self.encoder_ids(history)
        weights = self.item_weights(ids)
        if training and self.item_dropout:
            weights = self._dropout(weights, training=True)
        # The inner layers compute in half precision under a mixed-precision policy of Keras.
        rows = tf.cast(tf.gather(self.table, ids), self.compute_dtype)
        return self.encode(rows, tf.cast(weights, self.compute_dtype), training)

    def encoder_ids(self, history: tf.Tensor) -> tf.Tensor:
        """Returns the ids whose rows `encode` gets: int32 [B, L], without repetitions."""
        ids = self.mask_unknown_ids(history)
        return compact_ids(ids) if self.is_order_sensitive else deduplicate(ids)

    def item_embeddings(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.scoring_table)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        for table in self.item_tables:
            table.assign(_mix_rows(table.numpy(), mixtures))

    def item_weights(self, ids: tf.Tensor) -> tf.Tensor:
        """Weights each history item by its age: float32 [B, L], 0 for padding."""
        present = tf.minimum(ids, 1)
        age = tf.cumsum(present, axis=1, reverse=True, exclusive=True)
        # Softplus before the gather: the converter folds it into a constant.
        weights = tf.nn.softplus(tf.convert_to_tensor(self.recency))
        return tf.cast(present, weights.dtype) * tf.gather(weights, age)

    @property
    def scoring_table(self) -> tf.Variable:
        """The output embedding, float32 [V + 1, d]: the tied table itself."""
        return self.table

    @property
    def item_tables(self) -> list[tf.Variable]:
        """All weights with a row for every item: float32 [V + 1, ...]."""
        return (
            [self.table] if self.scoring_table is self.table else [self.table, self.scoring_table]
        )

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        # Reads the candidates' rows only: the catalog may be a thousand times as large.
        ids = self.mask_unknown_ids(candidates)
        rows = tf.gather(self.scoring_table, ids)
        users = self.user_embeddings(history)
        products = tf.squeeze(tf.matmul(rows, tf.expand_dims(users, 2)), 2)
        return tf.where(ids > 0, products, 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(self.scoring_table, self.mask_unknown_ids(item))
        return tf.matmul(rows, self.scoring_table, transpose_b=True)

    def adapt(self, popularity: np.ndarray) -> None:
        """Sets the sampling probability of each item as an in-batch negative.

        The in-batch objective needs it for the log-Q correction of Yi et al.,
        "Sampling-Bias-Corrected Neural Modeling" (2019). Without the correction popular items,
        which are in most batches, would be scored too low.

        Args:
            popularity: [V + 1], number of training users of each item.
        """
        probability = np.maximum(popularity, 1) / max(popularity.sum(), 1)
        self._sampling_probability = tf.constant(probability, tf.float32)

    def prepare_fit(self, train: TrainingSet) -> None:
        """Creates the weights, and sets the popularity that the in-batch objective needs."""
        super().prepare_fit(train)
        self.adapt(train.popularity())

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        if self.objective == FULL_SOFTMAX:
            return super().train_step(data)
        if self._sampling_probability is None:
            raise ValueError("call adapt(popularity) before training with the in-batch objective")
        history, labels = data
        # One random target per user, padding excluded.
        sampled_column = rng.sample_categorical(tf.where(labels["targets"] > 0, 0.0, -1e9), 1)
        target = tf.gather(labels["targets"], sampled_column[:, 0], batch_dims=1)
        with tf.GradientTape() as tape:
            loss = self._retrieval(
                self.user_embeddings(history, training=True),
                tf.gather(self.scoring_table, target),
                candidate_ids=target,
                candidate_sampling_probability=tf.gather(self._sampling_probability, target),
                compute_metrics=False,
            ) / tf.cast(tf.shape(history)[0], tf.float32)
            loss = tf.add_n([loss, *self.regularization_loss()])
        minimize_loss(self.optimizer, loss, self.trainable_variables, tape)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "item_dropout": self.item_dropout,
            "objective": self.objective,
            "embeddings_regularizer": keras.regularizers.serialize(self.embeddings_regularizer),
        }


def _mix_rows(table: np.ndarray, mixtures: ItemMixtures) -> np.ndarray:
    """Averages the rows of each mixture, and gives embeddings the mean length of their parts.

    Averages, because the logit 0 says nothing special. The average of vectors that differ is
    shorter than all of them: with its dot products a new item would be in nobody's list.

    Args:
        table: float32 [V + 1, d], or [V + 1] for biases.
        mixtures: The items and what they are made of.
    """
    mixed_table = mixtures.average_rows(table)
    if table.ndim > 1:
        rows = mixed_table[mixtures.items]
        lengths = mixtures.average_rows(np.linalg.norm(table, axis=1))[mixtures.items]
        mixed_table[mixtures.items] = normalize_rows(rows) * lengths[:, None]
    return mixed_table

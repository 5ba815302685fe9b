"""The base class of teachers and students: histories in, a score for every item out."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories, from_padded
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import compute_multinomial_loss


class HistoryModel(keras.Model):
    """Base of all models that rank the catalog for a history of items.

    A subclass implements `call`. `score`, `similar` and `contributions` are derived from it; a
    subclass overrides them where it can compute them more cheaply. Ids are 1..V for items and 0
    for padding. Any other number counts as padding, and an item that stands in a history more than
    once counts once. A model is stateless: the same history gives the same scores on every call.

    Args:
        num_items: V.
        max_length: L, how many items of a history the model sees.

    Attributes:
        peak_score_rows: How many vectors of V + 1 numbers scoring one history needs at its peak.
        quantized_weights: Names of the weights that a file stores in one byte per number.
        quantizations: The forms it can be exported in (`kd_tf.tflite.convert.Quantization`).

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import tf
        >>> class NextItem(HistoryModel):
        ...     def call(self, inputs, training=False):
        ...         return tf.one_hot(tf.reduce_max(inputs, axis=1) + 1, self.num_items + 1)
        >>> model = NextItem(num_items=3, max_length=2)
        >>> model(tf.constant([[1, 0]])).numpy()
        array([[0., 0., 1., 0.]], dtype=float32)
        >>> model.score(tf.constant([[1, 0]]), tf.constant([[3, 2]])).numpy()
        array([[0., 1.]], dtype=float32)
    """

    peak_score_rows = 1
    quantized_weights: tuple[str, ...] = ()
    quantizations: tuple[str, ...] = ("float32", "float16", "dynamic-int8", "int8")

    def __init__(self, *, num_items: int, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_items < 1 or max_length < 1:
            raise ValueError(
                f"num_items and max_length must be at least 1, not {num_items} and {max_length}"
            )
        self.num_items = num_items
        self.max_length = max_length
        self._loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores the whole catalog for each history.

        Args:
            inputs: int32 [B, L], oldest first, padded with 0 at the end.
            training: True enables dropout.

        Returns:
            float32 [B, V + 1] logits; column i is the item with id i, column 0 has no meaning.
            Items of the history are scored like any others.
        """
        raise NotImplementedError

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Scores the given candidates for each history.

        Args:
            history: int32 [B, L].
            candidates: int32 [B, C].

        Returns:
            float32 [B, C], as in `call`; 0 for candidates that are not valid ids.
        """
        ids = self.mask_unknown_ids(candidates)
        scores = tf.gather(self(history, training=False), ids, batch_dims=1)
        return tf.where(ids > 0, scores, 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        """Scores how similar every item is to the given one.

        The default is the model's score for a history of only this item.

        Args:
            item: int32 [B].

        Returns:
            float32 [B, V + 1], higher is more similar.
        """
        return self(tf.pad(tf.expand_dims(item, 1), [[0, 0], [0, self.max_length - 1]]))

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Computes how much each history item adds to the score of one item.

        The default is leave-one-out: the drop in score when the history item is removed.

        Args:
            history: int32 [B, L].
            item: int32 [B].

        Returns:
            float32 [B, L]; 0 for padding and for repetitions of an earlier item.
        """
        L = self.max_length
        ids = self.mask_unknown_ids(history)
        # All repetitions of an item are removed together.
        same = tf.equal(tf.expand_dims(ids, 2), tf.expand_dims(ids, 1))
        without = tf.where(same, 0, tf.expand_dims(ids, 1))
        # Row 0 of each user is the full history, the L others lack one item: one batch for all.
        rows = tf.reshape(tf.concat([tf.expand_dims(ids, 1), without], axis=1), [-1, L])
        candidates = tf.reshape(tf.repeat(tf.expand_dims(item, 1), L + 1, axis=1), [-1, 1])
        scores = tf.reshape(self.score(rows, candidates), [-1, L + 1])
        return tf.where(self.first_occurrences(ids), scores[:, :1] - scores[:, 1:], 0.0)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Computes the user embedding of each history.

        Args:
            history: int32 [B, L].
            training: True enables dropout.

        Returns:
            float32 [B, d].

        Raises:
            ValueError: The model has no user embeddings.
        """
        raise ValueError(f"{type(self).__name__} has no user embeddings")

    def item_embeddings(self) -> tf.Tensor:
        """Returns the item embeddings that score by dot product with `user_embeddings`.

        Returns:
            float32 [V + 1, d].

        Raises:
            ValueError: The model has no item embeddings.
        """
        raise ValueError(f"{type(self).__name__} has no item embeddings")

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        """Computes the scores of `call` in NumPy, for models where that is faster.

        Args:
            histories: At most L items each.

        Returns:
            A new array float32 [n, V + 1], equal to the scores of `call` up to rounding; None if
            the model has no such implementation.
        """
        return None

    def to_inputs(self, histories: Histories) -> np.ndarray:
        """Converts histories to the inputs of `call`: int32 [n, L]."""
        return histories.pad(self.max_length)

    def from_inputs(self, inputs: np.ndarray) -> Histories:
        """Converts inputs of `call`, int32 [n, L], back to histories; undoes `to_inputs`."""
        return from_padded(inputs)

    def pack(self) -> HistoryModel:
        """Returns the model with its weights packed for export; by default the model itself."""
        return self

    def seen_items(self, history: tf.Tensor) -> tf.Tensor:
        """Returns the items never to recommend for these histories: int32 [B, n], padded with 0."""
        return self.mask_unknown_ids(history)

    def mask_unknown_ids(self, ids: tf.Tensor) -> tf.Tensor:
        """Replaces ids outside 1..V with 0, which is padding."""
        return tf.where((ids >= 1) & (ids <= self.num_items), ids, tf.zeros_like(ids))

    def first_occurrences(self, ids: tf.Tensor) -> tf.Tensor:
        """Marks the first occurrence of each item in a row of valid `ids`: bool [B, L]."""
        return (ids > 0) & self._is_first(ids)

    def _is_first(self, ids: tf.Tensor) -> tf.Tensor:
        """Marks the first occurrence of each number in its row, padding included: bool [B, L]."""
        equal = tf.cast(tf.equal(tf.expand_dims(ids, 2), tf.expand_dims(ids, 1)), tf.int32)
        # Among equal values argmax returns the first index.
        return tf.argmax(equal, axis=2, output_type=tf.int32) == tf.range(ids.shape[1])

    def deduplicate(self, history: tf.Tensor) -> tf.Tensor:
        """Keeps only the first occurrence of each item, in place: int32 [B, L], 0 elsewhere."""
        ids = self.mask_unknown_ids(history)
        return tf.where(self._is_first(ids), ids, 0)

    def compact_ids(self, history: tf.Tensor) -> tf.Tensor:
        """Removes repetitions and gaps: int32 [B, L], items in order, padded with 0 at the end.

        For models that use positions; `deduplicate` is cheaper where only the set of items counts.
        """
        ids = self.mask_unknown_ids(history)
        first = self.first_occurrences(ids)
        L = ids.shape[1]
        # Removed entries go to column L, which is cut off at the end.
        column = tf.where(first, tf.cumsum(tf.cast(first, tf.int32), axis=1) - 1, L)
        row = tf.expand_dims(tf.range(tf.shape(ids)[0]) * (L + 1), 1)
        flat = tf.scatter_nd(
            tf.reshape(column + row, [-1, 1]),
            tf.reshape(tf.where(first, ids, 0), [-1]),
            [tf.shape(ids)[0] * (L + 1)],
        )
        return tf.reshape(flat, [-1, L + 1])[:, :L]

    @property
    def table_rows(self) -> int:
        """Number of rows of its item tables: one per item and one for padding."""
        return self.num_items + 1

    def masked_logits(self, history: tf.Tensor, training: bool = False) -> MaskedLogits:
        """Scores histories int32 [B, L] and masks the items that are never recommended."""
        return MaskedLogits.from_logits(self(history, training=training), self.seen_items(history))

    def supervised_loss(
        self, history: tf.Tensor, targets: tf.Tensor, masked_logits: MaskedLogits
    ) -> tf.Tensor:
        """Computes the loss on the ground-truth items.

        Args:
            history: int32 [B, L].
            targets: int32 [B, M], padded with 0.
            masked_logits: The scores of the histories.

        Returns:
            float32 [B].
        """
        return compute_multinomial_loss(
            masked_logits.unseen_logits, targets, masked_logits.log_partition
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self._loss_tracker]

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Trains one step on (history int32 [B, L], {"targets": int32 [B, M], ...})."""
        history, labels = data
        with tf.GradientTape() as tape:
            masked_logits = self.masked_logits(history, training=True)
            loss = tf.reduce_mean(self.supervised_loss(history, labels["targets"], masked_logits))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def test_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Computes the same loss without training."""
        history, labels = data
        masked_logits = self.masked_logits(history)
        loss = self.supervised_loss(history, labels["targets"], masked_logits)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, enough to rebuild the model without its weights."""
        return {
            "name": self.name,
            "num_items": self.num_items,
            "max_length": self.max_length,
        }

    def create_weights(self) -> None:
        """Creates all weights, so that the model can be pruned, loaded or counted before `fit`."""
        self(tf.zeros([1, self.max_length], tf.int32))

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Creates the weights of a saved model; Keras would build it with float ids and fail."""
        self.create_weights()

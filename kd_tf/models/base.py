"""What teachers and students share: histories in, a score for every book out."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories, from_padded
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import compute_multinomial_loss


class HistoryModel(keras.Model):
    """Base of every model that ranks the catalogue for a reading history.

    A subclass implements `call`; `score`, `similar` and `contributions` follow from it, and are
    overridden where a model knows a shorter way. Ids are 1..V for books and 0 for padding; every
    other number counts as padding, and a book counts once however often it stands in a history. A
    model is stateless: the same history gives the same scores on every call.

    Args:
        books: V.
        history_length: L, how many books of a history the model sees.

    Attributes:
        vectors_at_once: How many vectors of V + 1 numbers one history needs while it is scored.
        tables: Names of the weights that a file holds in one byte a number.
        forms: In which forms it can be exported (`kd_tf.tflite.convert.Quantization`).
    """

    peak_score_rows = 1
    quantized_weights: tuple[str, ...] = ()
    quantizations: tuple[str, ...] = ("float32", "float16", "dynamic-int8", "int8")

    def __init__(self, *, num_items: int, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_items < 1 or max_length < 1:
            raise ValueError(
                f"books and history_length must be at least 1, not {num_items} and {max_length}"
            )
        self.num_items = num_items
        self.max_length = max_length
        self._loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores of the whole catalogue.

        Args:
            inputs: int32 [B, L], oldest first, padded with 0 at the end.
            training: True switches dropout on.

        Returns:
            float32 [B, V + 1] logits; column i is the book with id i, column 0 means nothing.
            Books of the history are scored like any others.
        """
        raise NotImplementedError

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Scores of some books.

        Args:
            history: int32 [B, L].
            candidates: int32 [B, C].

        Returns:
            float32 [B, C], as in `call`; 0 for candidates that are no books.
        """
        ids = self.mask_unknown_ids(candidates)
        scores = tf.gather(self(history, training=False), ids, batch_dims=1)
        return tf.where(ids > 0, scores, 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        """How much every book is like `book` (int32 [B]): float32 [B, V + 1], higher is more.

        Unless a model knows better: what it recommends to somebody who read nothing else.
        """
        return self(tf.pad(tf.expand_dims(item, 1), [[0, 0], [0, self.max_length - 1]]))

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """How much each book of a history adds to the score of one book.

        Unless a model knows better: by how much the score falls without it.

        Args:
            history: int32 [B, L].
            book: int32 [B].

        Returns:
            float32 [B, L]; 0 for padding, and for a book that stood in the history before.
        """
        L = self.max_length
        ids = self.mask_unknown_ids(history)
        # A book that stands there twice goes at once.
        same = tf.equal(tf.expand_dims(ids, 2), tf.expand_dims(ids, 1))
        without = tf.where(same, 0, tf.expand_dims(ids, 1))
        # The whole history stands before its L parts, so that all are scored together.
        rows = tf.reshape(tf.concat([tf.expand_dims(ids, 1), without], axis=1), [-1, L])
        asked = tf.reshape(tf.repeat(tf.expand_dims(item, 1), L + 1, axis=1), [-1, 1])
        scores = tf.reshape(self.score(rows, asked), [-1, L + 1])
        return tf.where(self.first_occurrences(ids), scores[:, :1] - scores[:, 1:], 0.0)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What the model makes of a reader: float32 [B, d] of histories int32 [B, L].

        Raises:
            ValueError: The model has no vector of a reader.
        """
        raise ValueError(f"a {type(self).__name__} has no vector of a reader")

    def item_embeddings(self) -> tf.Tensor:
        """What `reader_vectors` are multiplied with: float32 [V + 1, d].

        Raises:
            ValueError: The model has no vectors of books.
        """
        raise ValueError(f"a {type(self).__name__} has no vectors of books")

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        """A shorter way to the scores of `call` outside TensorFlow, None where there is none.

        Args:
            histories: At most L books each.

        Returns:
            A new array float32 [n, V + 1], equal to those of `call` up to rounding.
        """
        return None

    def to_inputs(self, histories: Histories) -> np.ndarray:
        """Histories as `call` takes them: int32 [n, L]."""
        return histories.pad(self.max_length)

    def from_inputs(self, inputs: np.ndarray) -> Histories:
        """What rows int32 [n, L], as `call` takes them, stand for: as `numpy_scores` takes it."""
        return from_padded(inputs)

    def pack(self) -> HistoryModel:
        """The model with its weights in the form that a file should hold: itself by default."""
        return self

    def seen_items(self, history: tf.Tensor) -> tf.Tensor:
        """Books that an answer to these histories never holds: int32 [B, n], 0 is padding."""
        return self.mask_unknown_ids(history)

    def mask_unknown_ids(self, ids: tf.Tensor) -> tf.Tensor:
        """`ids` with everything outside 1..V made padding."""
        return tf.where((ids >= 1) & (ids <= self.num_items), ids, tf.zeros_like(ids))

    def first_occurrences(self, ids: tf.Tensor) -> tf.Tensor:
        """bool [B, L]: where known `ids` hold a book that did not stand in the row before."""
        return (ids > 0) & self._is_first(ids)

    def _is_first(self, ids: tf.Tensor) -> tf.Tensor:
        """bool [B, L]: where a number did not stand in the row before."""
        equal = tf.cast(tf.equal(tf.expand_dims(ids, 2), tf.expand_dims(ids, 1)), tf.int32)
        # Of several equal places argmax names the first.
        return tf.argmax(equal, axis=2, output_type=tf.int32) == tf.range(ids.shape[1])

    def deduplicate(self, history: tf.Tensor) -> tf.Tensor:
        """int32 [B, L]: the books of histories, each once, where it stood first; 0 elsewhere."""
        ids = self.mask_unknown_ids(history)
        return tf.where(self._is_first(ids), ids, 0)

    def compact_ids(self, history: tf.Tensor) -> tf.Tensor:
        """int32 [B, L]: the books of histories, each once, in order, padded with 0 at the end.

        For models that look at places; `distinct` is shorter where only the books count.
        """
        ids = self.mask_unknown_ids(history)
        first = self.first_occurrences(ids)
        L = ids.shape[1]
        # What goes is sent to one place more, which is cut off.
        place = tf.where(first, tf.cumsum(tf.cast(first, tf.int32), axis=1) - 1, L)
        row = tf.expand_dims(tf.range(tf.shape(ids)[0]) * (L + 1), 1)
        flat = tf.scatter_nd(
            tf.reshape(place + row, [-1, 1]),
            tf.reshape(tf.where(first, ids, 0), [-1]),
            [tf.shape(ids)[0] * (L + 1)],
        )
        return tf.reshape(flat, [-1, L + 1])[:, :L]

    @property
    def table_rows(self) -> int:
        """Rows of its tables of books: one for padding and one a book."""
        return self.num_items + 1

    def masked_logits(self, history: tf.Tensor, training: bool = False) -> MaskedLogits:
        """What the model says of histories int32 [B, L]."""
        return MaskedLogits.from_logits(self(history, training=training), self.seen_items(history))

    def supervised_loss(
        self, history: tf.Tensor, targets: tf.Tensor, masked_logits: MaskedLogits
    ) -> tf.Tensor:
        """float32 [B]: how badly scores explain the books that the readers really chose."""
        return compute_multinomial_loss(
            masked_logits.unseen_logits, targets, masked_logits.log_partition
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self._loss_tracker]

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """One step on (history int32 [B, L], {"targets": int32 [B, M], ...})."""
        history, labels = data
        with tf.GradientTape() as tape:
            scored = self.masked_logits(history, training=True)
            loss = tf.reduce_mean(self.supervised_loss(history, labels["targets"], scored))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def test_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """The same loss without learning."""
        history, labels = data
        scored = self.masked_logits(history)
        self._loss_tracker.update_state(self.supervised_loss(history, labels["targets"], scored))
        return {"loss": self._loss_tracker.result()}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, enough to make the same model without its weights."""
        return {
            "name": self.name,
            "num_items": self.num_items,
            "history_length": self.max_length,
        }

    def create_weights(self) -> None:
        """Makes every weight, so that the model can be pruned, loaded or counted before `fit`."""
        self(tf.zeros([1, self.max_length], tf.int32))

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights of a saved model; Keras would try it with float ids and fail."""
        self.create_weights()

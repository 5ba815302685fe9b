"""What teachers and students share: histories in, a score for every book out."""

from __future__ import annotations

from typing import Any

from kd_tf.keras import keras, tf
from kd_tf.models.losses import mask_history, multinomial_loss


class HistoryModel(keras.Model):
    """Base of every model that ranks the catalogue for a reading history.

    A subclass implements `call` and `similar`. Ids are 1..V for books and 0 for padding; every
    other number counts as padding. A model is stateless: the same history gives the same scores
    on every call.

    Args:
        books: V.
        history_length: L, how many books of a history the model sees.
    """

    def __init__(self, *, books: int, history_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if books < 1 or history_length < 1:
            raise ValueError(
                f"books and history_length must be at least 1, not {books} and {history_length}"
            )
        self.books = books
        self.history_length = history_length
        self._loss = keras.metrics.Mean(name="loss")

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

    def similar(self, book: tf.Tensor) -> tf.Tensor:
        """How much every book is like `book` (int32 [B]): float32 [B, V + 1], higher is more."""
        raise NotImplementedError

    def known(self, ids: tf.Tensor) -> tf.Tensor:
        """`ids` with everything outside 1..V made padding."""
        return tf.where((ids >= 1) & (ids <= self.books), ids, tf.zeros_like(ids))

    def hard_loss(self, history: tf.Tensor, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """float32 [B]: how badly `logits` explain the books that the readers really chose."""
        return multinomial_loss(mask_history(logits, history), targets)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self._loss]

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """One step on (history int32 [B, L], {"targets": int32 [B, M], ...})."""
        history, labels = data
        with tf.GradientTape() as tape:
            logits = self(history, training=True)
            loss = tf.reduce_mean(self.hard_loss(history, labels["targets"], logits))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._loss.update_state(loss)
        return {"loss": self._loss.result()}

    def test_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """The same loss without learning."""
        history, labels = data
        logits = self(history, training=False)
        self._loss.update_state(self.hard_loss(history, labels["targets"], logits))
        return {"loss": self._loss.result()}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, enough to make the same model without its weights."""
        return {
            "name": self.name,
            "books": self.books,
            "history_length": self.history_length,
        }

    def create_weights(self) -> None:
        """Makes every weight, so that the model can be pruned, loaded or counted before `fit`."""
        self(tf.zeros([1, self.history_length], tf.int32))

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights of a saved model; Keras would try it with float ids and fail."""
        self.create_weights()

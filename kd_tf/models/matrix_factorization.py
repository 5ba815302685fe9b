"""Matrix factorisation by the number of a reader: what papers on distillation compare with."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.keras import keras, tf
from kd_tf.models import randomness
from kd_tf.models.base import HistoryModel
from kd_tf.models.by_reader import readers_of_rows, rows_of_readers
from kd_tf.models.scored import Scored


@keras.saving.register_keras_serializable(package="kd_tf")
class MatrixFactorization(HistoryModel):
    """``score(i) = <u_r, v_i>``: a vector for every reader of the training, one for every book.

    It knows nobody else, so an app cannot use it; it is here so that methods can be measured as
    their papers did. Its loss is Bayesian personalised ranking: Rendle et al., "BPR: Bayesian
    Personalized Ranking from Implicit Feedback" (2009), with as many random unread books as read
    ones.

    Args:
        books: V.
        readers: R, how many numbers of readers there are.
        longest: How many books a reader read in training at most; `of` fills in which.
        dimensions: d.
        regularization: Of the squared length of the vectors in a pair of read and unread book.
    """

    forms = ()

    def __init__(
        self,
        *,
        readers: int,
        longest: int,
        dimensions: int,
        regularization: float = 0.03,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "history_length": 1})
        if readers < 1 or longest < 1 or dimensions < 1 or not regularization >= 0:
            raise ValueError(
                "readers, longest and dimensions must be at least 1 and regularization 0 or "
                f"more, not {readers}, {longest}, {dimensions} and {regularization}"
            )
        self.readers, self.longest = readers, longest
        self.dimensions, self.regularization = dimensions, regularization

        def drawn(name: str, rows: int) -> tf.Variable:
            # An initializer each: one alone would draw the same table twice.
            small = keras.initializers.RandomNormal(stddev=0.01)
            return self.add_weight(name=name, shape=(rows, dimensions), initializer=small)

        self.reader_table = drawn("reader_table", readers + 1)
        self.table = drawn("table", self.books + 1)
        self.read = self.add_weight(
            name="read",
            shape=(readers + 1, longest),
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )

    @classmethod
    def of(cls, train: Histories, books: int, **kwargs: Any) -> MatrixFactorization:
        """The model of the readers of `train`, with new vectors.

        Raises:
            ValueError: The histories do not say whose they are.
        """
        if train.readers is None:
            raise ValueError("matrix factorisation needs to know whose the histories are")
        longest = max(int(train.lengths.max(initial=1)), 1)
        readers = int(train.readers.max(initial=0)) + 1
        model = cls(books=books, readers=readers, longest=longest, **kwargs)
        model.create_weights()
        read = np.zeros((readers + 1, longest), np.int32)
        read[train.readers + 1] = train.padded(longest)
        model.read.assign(read)
        return model

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores of the whole catalogue.

        Args:
            inputs: int32 [B, 1], readers' numbers plus 1; any other number is nobody.
            training: Makes no difference.

        Returns:
            float32 [B, V + 1].
        """
        return tf.matmul(self.reader_vectors(inputs), self.table, transpose_b=True)

    def reader_vectors(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.gather(self.reader_table, self._numbers(history))

    def book_vectors(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.table)

    def excluded(self, history: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.read, self._numbers(history))

    def similar(self, book: tf.Tensor) -> tf.Tensor:
        return tf.matmul(tf.gather(self.table, self.known(book)), self.table, transpose_b=True)

    def contributions(self, history: tf.Tensor, book: tf.Tensor) -> tf.Tensor:
        raise ValueError("matrix factorisation does not look at the books of a history")

    def hard_loss(self, history: tf.Tensor, targets: tf.Tensor, scored: Scored) -> tf.Tensor:
        """float32 [B]: BPR, summed over the targets, with a new unread book for each."""
        there = tf.cast(targets > 0, tf.float32)
        unread = randomness.uniform(tf.shape(targets), 1, self.books + 1, tf.int32)
        # A drawn book that was read is masked, lies infinitely far below, and teaches nothing.
        distance = tf.gather(scored.logits, targets, batch_dims=1) - tf.gather(
            scored.masked, unread, batch_dims=1
        )
        own = tf.reduce_sum(tf.square(self.reader_vectors(history)), axis=1, keepdims=True)
        lengths = own + sum(
            tf.reduce_sum(tf.square(tf.gather(self.table, ids)), axis=2)
            for ids in (targets, unread)
        )
        each = tf.nn.softplus(-distance) + self.regularization * lengths
        return tf.reduce_sum(there * each, axis=1)

    def rows_of(self, histories: Histories) -> np.ndarray:
        return rows_of_readers(histories)

    def histories_of(self, rows: np.ndarray) -> Histories:
        return readers_of_rows(rows)

    def _numbers(self, history: tf.Tensor) -> tf.Tensor:
        numbers = history[:, 0]
        return tf.where((numbers >= 1) & (numbers <= self.readers), numbers, 0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "readers": self.readers,
            "longest": self.longest,
            "dimensions": self.dimensions,
            "regularization": self.regularization,
        }

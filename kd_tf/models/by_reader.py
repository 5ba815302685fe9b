"""A model of histories that is asked by the numbers of training readers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.keras import keras, tf
from kd_tf.models.base import HistoryModel


@keras.saving.register_keras_serializable(package="kd_tf")
class ByReader(HistoryModel):
    """Answers for a reader's number with what a model says of the reader's books.

    With it any teacher can teach a student that knows readers by number (`MatrixFactorization`).

    Args:
        model: Sees histories of its own length.
        readers: R, how many numbers of readers there are.
        longest: How many books a reader read in training at most; `of` fills in which.
    """

    forms = ()

    def __init__(self, *, model: HistoryModel, readers: int, longest: int, **kwargs: Any) -> None:
        if readers < 1 or longest < 1:
            raise ValueError(f"readers and longest must be at least 1, not {readers} and {longest}")
        super().__init__(**{**kwargs, "books": model.books, "history_length": 1})
        self.model = model
        self.readers, self.longest = readers, longest
        # What a history becomes inside the model lies beside the scores.
        self.vectors_at_once = model.vectors_at_once

        def table(name: str, columns: int) -> tf.Variable:
            shape = (readers + 1, columns)
            return self.add_weight(
                name=name, shape=shape, dtype="int32", initializer="zeros", trainable=False
            )

        self.read = table("read", longest)
        self.newest = table("newest", model.history_length)

    @classmethod
    def of(cls, model: HistoryModel, train: Histories) -> Self:
        """The finished `model`, for the readers of `train`.

        Raises:
            ValueError: The histories do not say whose they are.
        """
        if train.readers is None:
            raise ValueError("a model by readers needs to know whose the histories are")
        longest = max(int(train.lengths.max(initial=1)), 1)
        readers = int(train.readers.max(initial=0)) + 1
        found = cls(model=model, readers=readers, longest=longest)
        found.create_weights()
        for table in (found.read, found.newest):
            rows = np.zeros(table.shape, np.int32)
            rows[train.readers + 1] = train.padded(table.shape[1])
            table.assign(rows)
        return found

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores of the whole catalogue.

        Args:
            inputs: int32 [B, 1], readers' numbers plus 1; any other number is nobody.
            training: As for the model.

        Returns:
            float32 [B, V + 1].
        """
        return self.model(self._histories(inputs), training=training)

    def reader_vectors(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.model.reader_vectors(self._histories(history), training=training)

    def book_vectors(self) -> tf.Tensor:
        return self.model.book_vectors()

    def excluded(self, history: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.read, self._numbers(history))

    def similar(self, book: tf.Tensor) -> tf.Tensor:
        return self.model.similar(book)

    def contributions(self, history: tf.Tensor, book: tf.Tensor) -> tf.Tensor:
        return self.model.contributions(self._histories(history), book)

    def rows_of(self, histories: Histories) -> np.ndarray:
        return rows_of_readers(histories)

    def histories_of(self, rows: np.ndarray) -> Histories:
        return readers_of_rows(rows)

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        numbers = rows_of_readers(histories)[:, 0]
        known = np.where((numbers >= 1) & (numbers <= self.readers), numbers, 0)
        return self.model.numpy_scores(self.model.histories_of(self.newest.numpy()[known]))

    def _histories(self, rows: tf.Tensor) -> tf.Tensor:
        """int32 [B, L]: the newest books of readers, as the model takes them."""
        return tf.gather(self.newest, self._numbers(rows))

    def _numbers(self, rows: tf.Tensor) -> tf.Tensor:
        numbers = rows[:, 0]
        return tf.where((numbers >= 1) & (numbers <= self.readers), numbers, 0)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.model),
            "readers": self.readers,
            "longest": self.longest,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ByReader:
        """The model that `get_config` described, with new weights."""
        return cls(**{**config, "model": keras.saving.deserialize_keras_object(config["model"])})


def rows_of_readers(histories: Histories) -> np.ndarray:
    """int32 [n, 1], the readers' numbers plus 1.

    Raises:
        ValueError: The histories do not say whose they are.
    """
    if histories.readers is None:
        raise ValueError("a model by readers needs to know whose the histories are")
    return histories.readers.astype(np.int32)[:, None] + 1


def readers_of_rows(rows: np.ndarray) -> Histories:
    """The readers of rows int32 [n, 1] of numbers plus 1, without books."""
    offsets = np.zeros(len(rows) + 1, np.int64)
    return Histories(np.zeros(0, np.int32), offsets, readers=rows[:, 0].astype(np.int32) - 1)

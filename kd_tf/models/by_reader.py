"""A model of histories that is asked by the numbers of training readers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.keras import keras, tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.reader_model import ReaderModel, fill


@keras.saving.register_keras_serializable(package="kd_tf")
class ByReader(ReaderModel):
    """Answers for a reader's number with what a model says of the reader's books.

    With it any teacher can teach a student that knows readers by number (`MatrixFactorization`).

    Args:
        model: Sees the newest books of a reader, as many as it takes.
        **kwargs: `readers` and `longest` as for `ReaderModel`.
    """

    def __init__(self, *, model: HistoryModel, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "books": model.books})
        self.model = model
        self.vectors_at_once = model.vectors_at_once
        self.newest = self.rows_of_books("newest", model.history_length)

    @classmethod
    def of(cls, model: HistoryModel, train: Histories) -> Self:
        """The finished `model`, for the readers of `train`.

        Raises:
            ValueError: The histories do not say whose they are.
        """
        found = cls(model=model, **cls.sizes(train))
        found.create_weights()
        found.remember(train)
        return found

    def remember(self, train: Histories) -> None:
        super().remember(train)
        fill(self.newest, train)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores of the whole catalogue: float32 [B, V + 1] of readers int32 [B, 1]."""
        return self.model(self._histories(inputs), training=training)

    def reader_vectors(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.model.reader_vectors(self._histories(history), training=training)

    def book_vectors(self) -> tf.Tensor:
        return self.model.book_vectors()

    def similar(self, book: tf.Tensor) -> tf.Tensor:
        return self.model.similar(book)

    def contributions(self, history: tf.Tensor, book: tf.Tensor) -> tf.Tensor:
        return self.model.contributions(self._histories(history), book)

    def numpy_scores(self, histories: Histories) -> np.ndarray | None:
        books = self._histories(tf.constant(self.rows_of(histories))).numpy()
        return self.model.numpy_scores(self.model.histories_of(books))

    def _histories(self, rows: tf.Tensor) -> tf.Tensor:
        """int32 [B, L]: the newest books of readers, as the model takes them."""
        return tf.gather(self.newest, self.numbers(rows))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["books"], config["history_length"]  # the model's
        return {**config, "model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ByReader:
        """The model that `get_config` described, with new weights."""
        return cls(**{**config, "model": keras.saving.deserialize_keras_object(config["model"])})

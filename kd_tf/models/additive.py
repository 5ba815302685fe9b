"""Models whose score is a sum over the books of the history."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.keras import tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.book_vector import BookVector


class AdditiveModel(HistoryModel):
    """``score(i) = prior(i) + sum over the books h of the history of added(h, i)``.

    What a book adds does not depend on the others, so every score can be taken apart. The prior
    is what an empty history gets; it also ranks books that nothing of the history speaks for.

    A subclass implements `added`, and where they have shorter forms `summed`, `summed_at` and
    `added_to`.

    Args:
        books: V.
        history_length: L.
        coded: Whether numbers of books are stored in bytes (`BookVector`): for files.
    """

    # Integer arithmetic has no range that fits one book's weight and a sum over fifty.
    forms = ("float32", "dynamic-int8")

    def __init__(self, *, coded: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.coded = coded
        self.vectors_at_once = self.history_length
        self.prior = BookVector(self, "prior", coded=coded)

    def added(self, ids: tf.Tensor) -> tf.Tensor:
        """What books add to all scores: float32 [N, V + 1] of int32 [N], 0 for the padding."""
        raise NotImplementedError

    def summed(self, ids: tf.Tensor) -> tf.Tensor:
        """The sum of `added` over rows of different books: float32 [B, V + 1] of int32 [B, L]."""
        added = self.added(tf.reshape(ids, [-1]))
        return tf.reduce_sum(tf.reshape(added, [-1, ids.shape[1], self.books + 1]), axis=1)

    def summed_at(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """The sum of `added_to` over the books of the history: float32 [B, C]."""
        return tf.reduce_sum(self.added_to(ids, candidates), axis=1)

    def added_to(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """What books add to some scores: float32 [B, L, C] of int32 [B, L] and [B, C].

        Both are known ids; rows of books are 0 where there is padding.
        """
        L = ids.shape[1]
        added = tf.reshape(self.added(tf.reshape(ids, [-1])), [-1, L, self.books + 1])
        return tf.gather(added, tf.repeat(tf.expand_dims(candidates, 1), L, axis=1), batch_dims=2)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids = self.distinct(inputs)
        return self.prior.all(ids) + self.summed(ids)

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        asked = self.known(candidates)
        scores = self.prior.at(asked) + self.summed_at(self.distinct(history), asked)
        return tf.where(asked > 0, scores, 0.0)

    def similar(self, book: tf.Tensor) -> tf.Tensor:
        return self.added(self.known(book))

    def contributions(self, history: tf.Tensor, book: tf.Tensor) -> tf.Tensor:
        ids = self.known(history)
        asked = tf.expand_dims(self.known(book), 1)
        own = self.added_to(ids, asked)[:, :, 0]
        return tf.where(self.first_occurrences(ids) & (asked > 0), own, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "coded": self.coded}


def popularity_prior(popularity: np.ndarray, strength: float) -> np.ndarray:
    """float32 [V + 1]: `strength` times how popular a book is, from 0 to 1 on a log scale.

    Args:
        popularity: [V + 1], training readers of each book.
        strength: The prior of the most read book.
    """
    logarithm = np.log1p(popularity.astype(np.float64))
    logarithm[0] = 0
    return (strength * logarithm / max(float(logarithm.max()), 1e-9)).astype(np.float32)

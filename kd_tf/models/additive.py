"""Models whose score is a sum over the books of the history."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.base import HistoryModel


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
    quantizations = ("float32", "dynamic-int8")

    def __init__(self, *, quantized: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quantized = quantized
        self.peak_score_rows = self.max_length
        self.prior = QuantizedVector(self, "prior", quantized=quantized)

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        """What books add to all scores: float32 [N, V + 1] of int32 [N], 0 for the padding."""
        raise NotImplementedError

    def sum_scores(self, ids: tf.Tensor) -> tf.Tensor:
        """The sum of `added` over rows of different books: float32 [B, V + 1] of int32 [B, L]."""
        added = self.item_scores(tf.reshape(ids, [-1]))
        return tf.reduce_sum(tf.reshape(added, [-1, ids.shape[1], self.num_items + 1]), axis=1)

    def sum_candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """The sum of `added_to` over the books of the history: float32 [B, C]."""
        return tf.reduce_sum(self.candidate_scores(ids, candidates), axis=1)

    def candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """What books add to some scores: float32 [B, L, C] of int32 [B, L] and [B, C].

        Both are known ids; rows of books are 0 where there is padding.
        """
        L = ids.shape[1]
        added = tf.reshape(self.item_scores(tf.reshape(ids, [-1])), [-1, L, self.num_items + 1])
        return tf.gather(added, tf.repeat(tf.expand_dims(candidates, 1), L, axis=1), batch_dims=2)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids = self.deduplicate(inputs)
        return self.prior.gather_all(ids) + self.sum_scores(ids)

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        asked = self.mask_unknown_ids(candidates)
        scores = self.prior.gather(asked) + self.sum_candidate_scores(
            self.deduplicate(history), asked
        )
        return tf.where(asked > 0, scores, 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        return self.item_scores(self.mask_unknown_ids(item))

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(history)
        asked = tf.expand_dims(self.mask_unknown_ids(item), 1)
        own = self.candidate_scores(ids, asked)[:, :, 0]
        return tf.where(self.first_occurrences(ids) & (asked > 0), own, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "quantized": self.quantized}


def compute_popularity_prior(popularity: np.ndarray, strength: float) -> np.ndarray:
    """float32 [V + 1]: `strength` times how popular a book is, from 0 to 1 on a log scale.

    Args:
        popularity: [V + 1], training readers of each book.
        strength: The prior of the most read book.
    """
    logarithm = np.log1p(popularity.astype(np.float64))
    logarithm[0] = 0
    return (strength * logarithm / max(float(logarithm.max()), 1e-9)).astype(np.float32)

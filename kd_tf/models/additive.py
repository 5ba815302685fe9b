"""Models whose score is a prior plus a sum over the items of the history."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.layers.id_ops import deduplicate, mark_first_occurrences
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.base import HistoryModel


class AdditiveModel(HistoryModel):
    """Base of models that score each item by a prior plus one term per item of the history.

    ``score(i) = prior(i) + sum over the items h of the history of item_scores(h)[i]``

    The term of one history item does not depend on the others, so every score splits exactly into
    contributions. The prior is the score for an empty history; it also ranks the items for which
    the history holds no evidence.

    A subclass implements `item_scores`, and overrides `sum_scores`, `sum_candidate_scores` and
    `candidate_scores` where it can compute them more cheaply.

    Args:
        is_quantized: True stores per-item numbers in one byte each (`QuantizedVector`), which is
            the form for export.
        **kwargs: `num_items` and `max_length`, see `HistoryModel`.
    """

    # Integer arithmetic has no range that fits both one item's weight and a sum over fifty items.
    quantizations = ("float32", "dynamic-int8")

    def __init__(self, num_items: int, *, is_quantized: bool = False, **kwargs: Any) -> None:
        super().__init__(num_items, **kwargs)
        self.is_quantized = is_quantized
        self.peak_score_rows = self.max_length
        self.prior = QuantizedVector(self, "prior", is_quantized=is_quantized)

    def item_scores(self, ids: tf.Tensor) -> tf.Tensor:
        """Computes what single history items add to the scores of all items.

        Args:
            ids: int32 [N], valid ids.

        Returns:
            float32 [N, V + 1]; rows of padding are 0.
        """
        raise NotImplementedError

    def sum_scores(self, ids: tf.Tensor) -> tf.Tensor:
        """Sums `item_scores` over the items of each history.

        Args:
            ids: int32 [B, L], valid ids, no item twice in a row.

        Returns:
            float32 [B, V + 1].
        """
        scores = self.item_scores(tf.reshape(ids, [-1]))
        return tf.reduce_sum(tf.reshape(scores, [-1, ids.shape[1], self.num_items + 1]), axis=1)

    def sum_candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Sums `candidate_scores` over the items of each history: float32 [B, C]."""
        return tf.reduce_sum(self.candidate_scores(ids, candidates), axis=1)

    def candidate_scores(self, ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Computes what each history item adds to the scores of the candidates.

        Args:
            ids: int32 [B, L], valid ids.
            candidates: int32 [B, C], valid ids.

        Returns:
            float32 [B, L, C]; rows of padding are 0.
        """
        L = ids.shape[1]
        scores = tf.reshape(self.item_scores(tf.reshape(ids, [-1])), [-1, L, self.num_items + 1])
        return tf.gather(scores, tf.repeat(tf.expand_dims(candidates, 1), L, axis=1), batch_dims=2)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids = deduplicate(self.mask_unknown_ids(inputs))
        return self.prior.gather_all(ids) + self.sum_scores(ids)

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        candidate_ids = self.mask_unknown_ids(candidates)
        scores = self.prior.gather(candidate_ids) + self.sum_candidate_scores(
            deduplicate(self.mask_unknown_ids(history)), candidate_ids
        )
        return tf.where(candidate_ids > 0, scores, 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        return self.item_scores(self.mask_unknown_ids(item))

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(history)
        item_ids = tf.expand_dims(self.mask_unknown_ids(item), 1)
        scores = self.candidate_scores(ids, item_ids)[:, :, 0]
        return tf.where(mark_first_occurrences(ids) & (item_ids > 0), scores, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "is_quantized": self.is_quantized}


def compute_popularity_prior(popularity: np.ndarray, strength: float) -> np.ndarray:
    """Computes a prior from item popularity, from 0 to `strength` on a log scale.

    Args:
        popularity: [V + 1], number of training users of each item.
        strength: The prior of the most popular item.

    Returns:
        float32 [V + 1]; 0 for padding.

    Example:
        >>> import numpy as np
        >>> compute_popularity_prior(np.array([0, 0, 9, 99]), strength=1.0)
        array([0. , 0. , 0.5, 1. ], dtype=float32)
    """
    logarithm = np.log1p(popularity.astype(np.float64))
    logarithm[0] = 0
    return (strength * logarithm / max(float(logarithm.max()), 1e-9)).astype(np.float32)

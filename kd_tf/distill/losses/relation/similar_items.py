"""What a teacher finds most like each book, asked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.backend import tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size


@dataclass(frozen=True)
class SimilarItems:
    """The books that are most like each, best first; never the book itself.

    Attributes:
        ids: int32 [V + 1, n], 0 where there are fewer.
        scores: float32 [V + 1, n], `HistoryModel.similar`; 0 where there are fewer.
    """

    ids: tf.Tensor
    scores: tf.Tensor


def find_similar_items(teacher: HistoryModel, top_k: int) -> SimilarItems:
    """Asks a teacher for the `most` books that are most like every book."""
    items = np.arange(teacher.num_items + 1, dtype=np.int32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def answer(some: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # One more than is kept: the book itself may stand among them.
        found = mask_self(teacher.similar(some), some)
        scores, ids = tf.math.top_k(found, min(top_k, teacher.num_items))
        there = (scores > -np.inf) & (some > 0)[:, tf.newaxis]
        return tf.where(there, ids, 0), tf.where(there, scores, 0.0)

    rows = get_scoring_batch_size(teacher)
    parts = [
        answer(tf.constant(items[start : start + rows])) for start in range(0, len(items), rows)
    ]
    return SimilarItems(
        ids=tf.concat([ids for ids, _ in parts], axis=0),
        scores=tf.concat([scores for _, scores in parts], axis=0),
    )


def mask_self(scores: tf.Tensor, item_ids: tf.Tensor) -> tf.Tensor:
    """Scores [n, V + 1] of books int32 [n], minus infinity for padding and the book itself."""
    every = tf.range(tf.shape(scores)[1])
    out = (every == item_ids[:, tf.newaxis]) | (every == 0)
    return tf.where(out, -np.inf, scores)

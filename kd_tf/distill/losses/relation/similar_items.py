"""The items that a teacher finds most similar to each item, computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.backend import tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size


@dataclass(frozen=True)
class SimilarItems:
    """The most similar items of each item, best first, without the item itself.

    Attributes:
        ids: int32 [V + 1, n], padded with 0.
        scores: float32 [V + 1, n], the scores of `HistoryModel.similar`; 0 for padding.
    """

    ids: tf.Tensor
    scores: tf.Tensor


def find_similar_items(teacher: HistoryModel, top_k: int) -> SimilarItems:
    """Finds the `top_k` items that the teacher scores as most similar to each item.

    Args:
        teacher: A trained model.
        top_k: How many items to keep per item, at most V.
    """
    all_ids = np.arange(teacher.num_items + 1, dtype=np.int32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def find(items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        similarities = mask_self(teacher.similar(items), items)
        scores, ids = tf.math.top_k(similarities, min(top_k, teacher.num_items))
        mask = (scores > -np.inf) & (items > 0)[:, tf.newaxis]
        return tf.where(mask, ids, 0), tf.where(mask, scores, 0.0)

    batch_size = get_scoring_batch_size(teacher)
    parts = [
        find(tf.constant(all_ids[start : start + batch_size]))
        for start in range(0, len(all_ids), batch_size)
    ]
    return SimilarItems(
        ids=tf.concat([ids for ids, _ in parts], axis=0),
        scores=tf.concat([scores for _, scores in parts], axis=0),
    )


def mask_self(scores: tf.Tensor, item_ids: tf.Tensor) -> tf.Tensor:
    """Masks padding and the item itself with minus infinity.

    Args:
        scores: float32 [n, V + 1], similarities to the items of `item_ids`.
        item_ids: int32 [n].
    """
    columns = tf.range(tf.shape(scores)[1])
    is_masked = (columns == item_ids[:, tf.newaxis]) | (columns == 0)
    return tf.where(is_masked, -np.inf, scores)

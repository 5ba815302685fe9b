"""Unbiased distillation (UnKD): the teacher's order among equally popular items."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class UnbiasedDistillation(DistillationLoss):
    """Matches the teacher's preferences between pairs of items of similar popularity.

    Mean over the groups of the mean over sampled pairs of ``-log sigmoid(s+ - s-)``, s the
    student's logits. `build` sorts the items by popularity and splits them into groups of about
    equal total popularity. In every step and for every group, s+ is drawn from the teacher's top
    items of the group with odds ``exp(-rank within the group / rank_decay)``, and s- uniformly
    from the whole group. A pair counts if the teacher ranks s- lower; items beyond its cached K
    do rank lower. A popular item never competes with a rare one, so the teacher's popularity
    bias is not passed on.

    UnKD of Chen, Chen, Feng, Zhou & He, "Unbiased Knowledge Distillation for Recommendation"
    (WSDM 2023). What differs: s+ comes from the teacher's cached top K, s- is drawn uniformly,
    and losses are means and not sums, over the groups that have a pair.

    Args:
        num_groups: At least 1; with 1 it is pair-wise ranking over the whole catalog.
        num_pairs: Pairs to draw for each group, at least 1.
        rank_decay: Mu, above 0, in ranks within a group; a lower one draws more of the top items.
    """

    def __init__(
        self, num_groups: int = 4, num_pairs: int = 20, rank_decay: float = 10.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not num_groups >= 1:
            raise ValueError(f"num_groups must be at least 1, not {num_groups}")
        if not num_pairs >= 1:
            raise ValueError(f"num_pairs must be at least 1, not {num_pairs}")
        if not rank_decay > 0:
            raise ValueError(f"rank_decay must be above 0, not {rank_decay}")
        self.num_groups, self.num_pairs, self.rank_decay = num_groups, num_pairs, rank_decay
        self._item_groups: np.ndarray | None = None

    def build(self, setup: DistillationSetup) -> None:
        groups = split_by_popularity(setup.popularity, self.num_groups)
        self._item_groups = groups
        # Sorted by group: a random position within a group's range is a random item of the group.
        self._items_by_group = np.argsort(groups[1:], kind="stable").astype(np.int32) + 1
        self._group_sizes = np.bincount(groups[1:], minlength=self.num_groups).astype(np.int32)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        if self._item_groups is None:
            raise ValueError("call build first: the item groups come from the popularity")
        top_k = gather_teacher_top_k(batch)
        width = tf.shape(top_k.ids)[1]
        num_pairs = self.num_groups * self.num_pairs

        # [B, groups, K]: the teacher's list, once for each group.
        groups = tf.gather(self._item_groups, top_k.ids)[:, tf.newaxis]
        in_group = top_k.mask[:, tf.newaxis] & (groups == tf.range(self.num_groups)[:, tf.newaxis])
        group_ranks = tf.cumsum(tf.cast(in_group, tf.float32), axis=2)
        log_odds = tf.where(in_group, -group_ranks / self.rank_decay, MASKED_LOGIT)
        # Positive items, as positions in the teacher's list.
        positives = rng.sample_categorical(tf.reshape(log_odds, [-1, width]), self.num_pairs)
        positives = tf.reshape(positives, [-1, num_pairs])
        positive_scores = tf.gather(top_k.student_logits, positives, batch_dims=1)

        negatives = self._sample_items(tf.shape(top_k.ids)[0])
        negative_scores = tf.gather(batch.student_logits, negatives, batch_dims=1)

        # A pair does not count if the teacher lists the negative at the positive's position or
        # before it.
        is_same = negatives[:, :, tf.newaxis] == top_k.ids[:, tf.newaxis]
        is_not_lower = is_same & (tf.range(width) <= positives[:, :, tf.newaxis])
        mask = (
            tf.repeat(tf.reduce_any(in_group, axis=2), self.num_pairs, axis=1)
            & (negative_scores > MASKED_LOGIT / 2)
            & ~tf.reduce_any(is_not_lower, axis=2)
        )
        margin = tf.where(mask, positive_scores - negative_scores, 0.0)
        return self._average_over_groups(tf.nn.softplus(-margin), tf.cast(mask, tf.float32))

    def _sample_items(self, num_rows: tf.Tensor) -> tf.Tensor:
        """Draws items uniformly from each group: int32 [num_rows, num_groups * num_pairs].

        Those of an empty group are arbitrary.
        """
        sizes = self._group_sizes[:, np.newaxis]
        starts = np.cumsum(sizes, axis=0, dtype=np.int32) - sizes
        noise = rng.sample_uniform([num_rows, self.num_groups, self.num_pairs])
        offsets = tf.minimum(tf.cast(noise * sizes, tf.int32), np.maximum(sizes - 1, 0))
        positions = tf.minimum(starts + offsets, len(self._items_by_group) - 1)
        shape = [-1, self.num_groups * self.num_pairs]
        return tf.gather(self._items_by_group, tf.reshape(positions, shape))

    def _average_over_groups(self, losses: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Averages over each group's pairs, then over the groups with pairs: float32 [B].

        Args:
            losses: float32 [B, num_groups * num_pairs].
            mask: float32 of the same shape, 1 for pairs that count.
        """
        shape = [-1, self.num_groups, self.num_pairs]
        counts = tf.reduce_sum(tf.reshape(mask, shape), axis=2)
        sums = tf.reduce_sum(tf.reshape(mask * losses, shape), axis=2)
        means = tf.math.divide_no_nan(sums, counts)
        num_used_groups = tf.reduce_sum(tf.cast(counts > 0, tf.float32), axis=1)
        return tf.math.divide_no_nan(tf.reduce_sum(means, axis=1), num_used_groups)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_groups": self.num_groups,
            "num_pairs": self.num_pairs,
            "rank_decay": self.rank_decay,
        }


def split_by_popularity(popularity: np.ndarray, num_groups: int) -> np.ndarray:
    """Splits the items, most popular first, into groups of about equal total popularity.

    Args:
        popularity: int64 [V + 1], the number of users of each item.
        num_groups: The number of groups.

    Returns:
        int32 [V + 1] in 0..num_groups - 1, 0 for the most popular items, -1 for padding. A group
        is empty if a single item has more than its share.

    Example:
        >>> split_by_popularity(np.array([0, 1, 6, 3, 2]), num_groups=2).tolist()
        [-1, 1, 0, 1, 1]
    """
    counts = popularity[1:].astype(np.float64)
    order = np.argsort(-counts, kind="stable")
    sorted_counts = counts[order]
    # The middle of an item's own share decides, so that the split is at the nearest item border.
    middles = np.cumsum(sorted_counts) - sorted_counts / 2
    shares = middles / max(counts.sum(), 1.0)
    groups = np.full(len(popularity), -1, np.int32)
    groups[order + 1] = np.minimum((shares * num_groups).astype(np.int32), num_groups - 1)
    return groups

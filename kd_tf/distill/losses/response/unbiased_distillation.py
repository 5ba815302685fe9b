"""Unbiased distillation: the teacher's order among books of the same popularity."""

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
    """Which of two about equally popular books the teacher prefers.

    Mean over the groups of the mean over drawn pairs of ``-log sigmoid(s+ - s-)``, s the
    student's logits. `prepare` sorts the books by popularity and cuts them into groups of about
    equal total popularity. In every step, of every group, s+ is drawn from the teacher's best
    books there with odds ``exp(-rank within the group / rank_decay)``, and s- evenly from the
    whole group. A pair counts if the teacher ranks s- lower; what is beyond its cached K is.
    A popular book never competes with a rare one, so the teacher's liking for popular books is
    not handed on.

    UnKD of Chen, Chen, Feng, Zhou & He, "Unbiased Knowledge Distillation for Recommendation"
    (WSDM 2023). What differs: s+ comes from what is cached of the teacher, s- is drawn evenly,
    and losses are means and not sums, over the groups that have a pair.

    Args:
        groups: At least 1; with 1 it is pair-wise ranking over the whole catalogue.
        pairs: Pairs to draw of each group, at least 1.
        rank_decay: Mu, above 0, in ranks within a group; lower draws more of the very best.
    """

    def __init__(
        self, num_groups: int = 4, num_pairs: int = 20, rank_decay: float = 10.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not num_groups >= 1:
            raise ValueError(f"groups must be at least 1, not {num_groups}")
        if not num_pairs >= 1:
            raise ValueError(f"pairs must be at least 1, not {num_pairs}")
        if not rank_decay > 0:
            raise ValueError(f"rank_decay must be above 0, not {rank_decay}")
        self.num_groups, self.num_pairs, self.rank_decay = num_groups, num_pairs, rank_decay
        self._item_groups: np.ndarray | None = None

    def build(self, setup: DistillationSetup) -> None:
        self._item_groups = split_by_popularity(setup.popularity, self.num_groups)
        # Group after group: a random place in a group's stretch is a random book of it.
        self._items_by_group = np.argsort(self._item_groups[1:], kind="stable").astype(np.int32) + 1
        self._group_sizes = np.bincount(self._item_groups[1:], minlength=self.num_groups).astype(
            np.int32
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        if self._item_groups is None:
            raise ValueError("prepare must be called first: the groups come from the popularity")
        best = gather_teacher_top_k(batch)
        width = tf.shape(best.ids)[1]

        # [B, groups, K]: the teacher's list, once for each group.
        group = tf.gather(self._item_groups, best.ids)[:, tf.newaxis]
        inside = best.mask[:, tf.newaxis] & (group == tf.range(self.num_groups)[:, tf.newaxis])
        ranks = tf.cumsum(tf.cast(inside, tf.float32), axis=2)
        odds = tf.where(inside, -ranks / self.rank_decay, MASKED_LOGIT)
        upper = rng.sample_categorical(tf.reshape(odds, [-1, width]), self.num_pairs)
        upper = tf.reshape(
            upper, [-1, self.num_groups * self.num_pairs]
        )  # places in the teacher's list

        lower = self._sample_items(tf.shape(best.ids)[0])
        lower_score = tf.gather(batch.student_logits, lower, batch_dims=1)

        # Not lower: the teacher's list holds it, at the place of the upper one or before.
        same = lower[:, :, tf.newaxis] == best.ids[:, tf.newaxis]
        before = same & (tf.range(width) <= upper[:, :, tf.newaxis])
        counted = (
            tf.repeat(tf.reduce_any(inside, axis=2), self.num_pairs, axis=1)
            & (lower_score > MASKED_LOGIT / 2)
            & ~tf.reduce_any(before, axis=2)
        )
        upper_score = tf.gather(best.student_logits, upper, batch_dims=1)
        margin = tf.where(counted, upper_score - lower_score, 0.0)
        return self._average_over_groups(tf.nn.softplus(-margin), tf.cast(counted, tf.float32))

    def _sample_items(self, num_rows: tf.Tensor) -> tf.Tensor:
        """int32 [rows, groups * pairs], books drawn evenly from each group, any from an empty."""
        size = self._group_sizes[:, np.newaxis]
        start = np.cumsum(size, axis=0, dtype=np.int32) - size
        random = rng.sample_uniform([num_rows, self.num_groups, self.num_pairs])
        within = tf.minimum(tf.cast(random * size, tf.int32), np.maximum(size - 1, 0))
        place = tf.minimum(start + within, len(self._items_by_group) - 1)
        return tf.gather(
            self._items_by_group, tf.reshape(place, [-1, self.num_groups * self.num_pairs])
        )

    def _average_over_groups(self, losses: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """The mean over the groups of the mean over each one's pairs, [B, groups * pairs]."""
        shape = [-1, self.num_groups, self.num_pairs]
        counts = tf.reduce_sum(tf.reshape(mask, shape), axis=2)
        sums = tf.reduce_sum(tf.reshape(mask * losses, shape), axis=2)
        means = tf.math.divide_no_nan(sums, counts)
        taught = tf.reduce_sum(tf.cast(counts > 0, tf.float32), axis=1)
        return tf.math.divide_no_nan(tf.reduce_sum(means, axis=1), taught)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_groups": self.num_groups,
            "num_pairs": self.num_pairs,
            "rank_decay": self.rank_decay,
        }


def split_by_popularity(popularity: np.ndarray, num_groups: int) -> np.ndarray:
    """Cuts the books, most popular first, into groups of about equal total popularity.

    Args:
        popularity: int64 [V + 1], readers of each book.
        groups: How many.

    Returns:
        int32 [V + 1] in 0..groups - 1, 0 for the most popular books, -1 for padding. A group is
        empty where one book alone has more than its share.
    """
    read = popularity[1:].astype(np.float64)
    order = np.argsort(-read, kind="stable")
    ordered = read[order]
    # The middle of a book's own share decides, so that a cut falls where it is nearest.
    middle = np.cumsum(ordered) - ordered / 2
    shares = middle / max(read.sum(), 1.0)
    group_of = np.full(len(popularity), -1, np.int32)
    group_of[order + 1] = np.minimum((shares * num_groups).astype(np.int32), num_groups - 1)
    return group_of

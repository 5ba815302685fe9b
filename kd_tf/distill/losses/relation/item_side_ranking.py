"""Item-side ranking distillation: the order in which other items are similar to an item."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.batch_entities import sample_target_items
from kd_tf.distill.losses.embeddings import get_item_embeddings
from kd_tf.distill.losses.relation.similar_items import find_similar_items
from kd_tf.distill.losses.relaxed_list_mle import compute_relaxed_list_mle
from kd_tf.distill.losses.sampling import sample_without_replacement


@keras.saving.register_keras_serializable(package="kd_tf")
class ItemSideRanking(DistillationLoss):
    """Matches the teacher's order of the items similar to each target item of a batch.

    ``-1/K sum over k of log(exp s_k / (sum over i >= k of exp s_i + sum over j of exp s_j))`` for
    a target item, averaged over those of the batch: s are dot products of the student's item
    embeddings with that of the target; i runs over K *interesting* items in the teacher's order,
    j over *uninteresting* ones. Interesting items are drawn without replacement from the
    teacher's `pool_size` most similar, with weights ``exp(-rank / rank_decay)`` for rank 0, 1,
    ...; uninteresting ones uniformly from the catalog, where those of the pool and the item
    itself do not count. Outside training the best K are taken, and uninteresting items spread
    evenly over the ids.

    The relaxed ranking loss (Kang, Hwang, Kweon & Yu, "DE-RRD", CIKM 2020) on the item side:
    Kang, Hwang, Kweon & Yu, "Item-side Ranking Regularized Distillation for Recommender System"
    (Information Sciences 580, 2021). In models with user ids, an item ranks users; models of
    histories have no user ids, so here an item ranks other items. Divided by K, so that the
    weight of the method does not depend on it.

    Args:
        num_interesting: K, at least 1.
        num_uninteresting: The number of uninteresting items per target item, at least 1.
        pool_size: The number of the teacher's most similar items that interesting items are
            drawn from, at least K.
        rank_decay: How slowly the sampling weights fall with the rank, above 0.
        max_items: The maximum number of different target items of a batch, at least 1.
    """

    default_weight = 0.1

    def __init__(
        self,
        num_interesting: int = 20,
        num_uninteresting: int = 50,
        pool_size: int = 50,
        rank_decay: float = 10.0,
        max_items: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_interesting < 1 or num_uninteresting < 1 or max_items < 1:
            raise ValueError(
                "num_interesting, num_uninteresting and max_items must be at least 1, not "
                f"{num_interesting}, {num_uninteresting} and {max_items}"
            )
        if pool_size < num_interesting:
            raise ValueError(f"pool_size must be at least {num_interesting}, not {pool_size}")
        if not rank_decay > 0:
            raise ValueError(f"rank_decay must be above 0, not {rank_decay}")
        self.num_interesting, self.num_uninteresting = num_interesting, num_uninteresting
        self.pool_size, self.rank_decay, self.max_items = pool_size, rank_decay, max_items

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings(setup.student, "ItemSideRanking")
        self.similar_ids = find_similar_items(setup.teacher, self.pool_size).ids

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        targets = sample_target_items(batch, self.max_items)
        pool = tf.gather(self.similar_ids, targets)
        interesting = self._sample_interesting(pool, batch.training)
        others = self._sample_uninteresting(tf.shape(targets)[0], batch)
        excluded_ids = tf.concat([pool, targets[:, tf.newaxis]], axis=1)
        is_excluded = tf.reduce_any(others[:, :, tf.newaxis] == excluded_ids[:, tf.newaxis], axis=2)
        others = tf.where(is_excluded, 0, others)
        embeddings = batch.student.item_embeddings()
        ids = tf.concat([interesting, others], axis=1)
        scores = tf.linalg.matvec(tf.gather(embeddings, ids), tf.gather(embeddings, targets))
        K = interesting.shape[1]
        ranks = tf.broadcast_to(tf.range(K), tf.shape(interesting))
        losses = compute_relaxed_list_mle(
            scores[:, :K], ranks, interesting > 0, scores[:, K:], others > 0
        )
        list_lengths = tf.reduce_sum(tf.cast(interesting > 0, tf.float32), axis=1)
        num_lists = tf.reduce_sum(tf.cast(list_lengths > 0, tf.float32))
        item_losses = tf.math.divide_no_nan(losses, list_lengths)
        mean = tf.math.divide_no_nan(tf.reduce_sum(item_losses), num_lists)
        return tf.fill([tf.shape(batch.history)[0]], mean)

    def _sample_interesting(self, candidates: tf.Tensor, training: bool) -> tf.Tensor:
        """Draws int32 [n, K] of candidates [n, pool_size], in the teacher's order, 0 is padding."""
        count = min(self.num_interesting, candidates.shape[1])
        if not training:
            return candidates[:, :count]
        ranks = tf.range(candidates.shape[1], dtype=tf.float32)
        indices, _ = sample_without_replacement(-ranks / self.rank_decay, candidates > 0, count)
        return tf.gather(candidates, tf.sort(indices, axis=1), batch_dims=1)

    def _sample_uninteresting(self, num_rows: tf.Tensor, batch: DistillationBatch) -> tf.Tensor:
        """Draws int32 [num_rows, num_uninteresting], ids in 1..V."""
        num_items = batch.student.num_items
        if batch.training:
            shape = [num_rows, self.num_uninteresting]
            return rng.sample_uniform(shape, 1, num_items + 1, tf.int32)
        spread = 1 + np.arange(self.num_uninteresting) * num_items // self.num_uninteresting
        return tf.tile(tf.constant(spread[None], tf.int32), [num_rows, 1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_interesting": self.num_interesting,
            "num_uninteresting": self.num_uninteresting,
            "pool_size": self.pool_size,
            "rank_decay": self.rank_decay,
            "max_items": self.max_items,
        }

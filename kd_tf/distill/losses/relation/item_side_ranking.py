"""Item-side ranking: in which order other books are like a book."""

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
    """The order in which the teacher finds other books like each target book of a batch.

    ``-1/K sum over k of log(exp s_k / (sum over i >= k of exp s_i + sum over j of exp s_j))`` for
    a target book, the mean over those of the batch: s are dot products of the student's vectors
    of books with that of the target; i runs over K *interesting* books in the teacher's order, j
    over `uninteresting` ones. Interesting books are drawn without replacement among the teacher's
    `strongest`, with weights ``exp(-rank / spread)`` for rank 0, 1, ...; uninteresting ones
    evenly from the catalogue, where those of the strongest and the book itself do not count.
    Outside training the best K are taken, and books spread evenly over the ids.

    The relaxed ranking loss (Kang, Hwang, Kweon & Yu, "DE-RRD", CIKM 2020) on the side of the
    items: Kang, Hwang, Kweon & Yu, "Item-side Ranking Regularized Distillation for Recommender
    System" (Information Sciences 580, 2021). Where users are numbered the side of an item is
    its ranking of users; readers have no numbers here, so it is its ranking of other books.
    Divided by K, so that the weight of the method does not depend on it.

    Args:
        interesting: K, at least 1.
        uninteresting: How many others, at least 1.
        strongest: Among how many of the teacher's best books the interesting ones are drawn, at
            least K.
        spread: How slowly the weights fall with the rank, above 0.
        books: At most so many different target books of a batch, at least 1.
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
                "interesting, uninteresting and books must be at least 1, not "
                f"{num_interesting}, {num_uninteresting} and {max_items}"
            )
        if pool_size < num_interesting:
            raise ValueError(f"strongest must be at least {num_interesting}, not {pool_size}")
        if not rank_decay > 0:
            raise ValueError(f"spread must be above 0, not {rank_decay}")
        self.num_interesting, self.num_uninteresting = num_interesting, num_uninteresting
        self.pool_size, self.rank_decay, self.max_items = pool_size, rank_decay, max_items

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings(setup.student, "ItemSideRanking")
        self.similar_ids = find_similar_items(setup.teacher, self.pool_size).ids

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        items = sample_target_items(batch, self.max_items)
        strongest = tf.gather(self.similar_ids, items)
        interesting = self._sample_interesting(strongest, batch.training)
        others = self._sample_uninteresting(tf.shape(items)[0], batch)
        never = tf.concat([strongest, items[:, tf.newaxis]], axis=1)
        known = tf.reduce_any(others[:, :, tf.newaxis] == never[:, tf.newaxis], axis=2)
        others = tf.where(known, 0, others)
        table = batch.student.item_embeddings()
        ids = tf.concat([interesting, others], axis=1)
        scores = tf.linalg.matvec(tf.gather(table, ids), tf.gather(table, items))
        K = interesting.shape[1]
        order = tf.broadcast_to(tf.range(K), tf.shape(interesting))
        rows = compute_relaxed_list_mle(
            scores[:, :K], order, interesting > 0, scores[:, K:], others > 0
        )
        count = tf.reduce_sum(tf.cast(interesting > 0, tf.float32), axis=1)
        found = tf.reduce_sum(tf.cast(count > 0, tf.float32))
        each = tf.math.divide_no_nan(rows, count)
        mean = tf.math.divide_no_nan(tf.reduce_sum(each), found)
        return tf.fill([tf.shape(batch.history)[0]], mean)

    def _sample_interesting(self, candidates: tf.Tensor, training: bool) -> tf.Tensor:
        """int32 [n, K], in the teacher's order, 0 where there are fewer."""
        count = min(self.num_interesting, candidates.shape[1])
        if not training:
            return candidates[:, :count]
        rank = tf.range(candidates.shape[1], dtype=tf.float32)
        places, _ = sample_without_replacement(-rank / self.rank_decay, candidates > 0, count)
        return tf.gather(candidates, tf.sort(places, axis=1), batch_dims=1)

    def _sample_uninteresting(self, num_rows: tf.Tensor, batch: DistillationBatch) -> tf.Tensor:
        """int32 [n, uninteresting]: ids of 1..V."""
        items = batch.student.num_items
        if batch.training:
            return rng.sample_uniform([num_rows, self.num_uninteresting], 1, items + 1, tf.int32)
        spread = 1 + np.arange(self.num_uninteresting) * items // self.num_uninteresting
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

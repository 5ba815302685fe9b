"""HetComp: lists from easy to hard, each reader going on when the student holds one."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.relaxed_list_mle import compute_relaxed_list_mle
from kd_tf.distill.losses.response.teacher_top_k import compute_student_ranks
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history

GAIN_DECAY = 10.0
"""Lambda of the paper: what a book is worth falls by e within so many ranks of a list."""


@keras.saving.register_keras_serializable(package="kd_tf")
class HeterogeneousStages(DistillationLoss):
    """The easiest list that the student does not hold yet, at last the order of the hardest.

    Several teachers together know more than a small student can take over at once. So every
    reader has S lists, from that of an easy teacher to that of all together (the label
    ``stage_ids``, see `kd_tf.distill.teacher_targets.stage_targets`), and learns from one:

    - How far the student is from a list of K books is ``1 - NDCG@K`` of the student's ranking,
      the book of rank r in the list being worth ``2^exp(-(r - 1) / 10) - 1``. A reader's stage is
      the first whose list is farther than the threshold, the last where none is.
    - The threshold rises evenly to 1 while the training goes on: in the end all readers are at
      the last stage, also those whose easier lists the student cannot hold.
    - Before the last stage all listed books should come before all others, in whatever order:
      the mean over them of ``-log exp(s_k) / (exp(s_k) + sum over unlisted j of exp(s_j))``.
    - At the last stage they should stand in the list's order too (`relaxed_order_loss`).

    HetComp of Kang, Kweon, Lee, Lian, Xie & Yu, "Distillation from Heterogeneous Models for Top-K
    Recommendation" (WWW 2023). There the easy lists are those of each teacher early in its own
    training, a teacher goes on when the discrepancy to its next list has fallen by a given ratio,
    and the lists of all teachers, each at its own place, are joined into one of 100 books; order
    begins to matter when all readers are at the end, and for half of the list. Here stages are
    any teachers from easy to hard, and a reader's stage follows from the student as it is: nothing
    has to be remembered between steps, a training that is stopped goes on the same, and a reader
    for whom the student forgets a list goes back to it. The books that were read are left to the
    hard loss. Losses are means and not sums over the books, of about the size of the hard loss.

    Args:
        threshold: From 0 to 1: a list at this discrepancy or less is held at the start.
        listed: K, how many books of each list are taken, at least 1: all weigh the same in the
            end, and a small student has no room for many (an MLP on MovieLens 100k, NDCG@10 of
            one training: 20 books .227, 50 .209, 100 .207).
    """

    teacher_outputs = ("stage_ids",)

    def __init__(self, threshold: float = 0.5, list_length: int = 20, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be from 0 to 1, not {threshold}")
        if not list_length >= 1:
            raise ValueError(f"listed must be at least 1, not {list_length}")
        self.threshold = threshold
        self.list_length = list_length

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        lists = self.get_lists(batch)
        stage = self.assign_stages(batch)
        ids = tf.gather(lists, stage, batch_dims=1)
        scores = tf.gather(batch.student_logits, ids, batch_dims=1)
        there = (ids > 0) & (scores > MASKED_LOGIT / 2)
        scores = tf.where(there, scores, 0.0)
        unlisted = tf.reduce_logsumexp(
            mask_history(batch.student_logits, ids), axis=1, keepdims=True
        )
        coarse = tf.reduce_sum(tf.where(there, tf.nn.softplus(unlisted - scores), 0.0), axis=1)
        ranks = tf.range(ids.shape[1]) + tf.zeros_like(ids)
        fine = compute_relaxed_list_mle(
            scores, ranks, there, unlisted, tf.ones_like(unlisted, tf.bool)
        )
        total = tf.where(stage == lists.shape[1] - 1, fine, coarse)
        return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(there, tf.float32), axis=1))

    def assign_stages(self, batch: DistillationBatch) -> tf.Tensor:
        """int32 [B]: the stage that each reader is at, 0..S - 1."""
        held = self.threshold + (1 - self.threshold) * batch.progress
        ahead = compute_discrepancies(batch, self.get_lists(batch)) > held
        first = tf.argmax(ahead, axis=1, output_type=tf.int32)
        return tf.where(tf.reduce_any(ahead, axis=1), first, ahead.shape[1] - 1)

    def get_lists(self, batch: DistillationBatch) -> tf.Tensor:
        """int32 [B, S, K]: the beginning of every stage's list."""
        return batch.labels["stage_ids"][:, :, : self.list_length]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "list_length": self.list_length,
        }


def compute_discrepancies(batch: DistillationBatch, lists: tf.Tensor) -> tf.Tensor:
    """float32 [B, S]: ``1 - NDCG@K`` of the student against `lists`, int32 [B, S, K].

    Padding and books that the student has masked do not count, so that K may be smaller; in the
    list's own order it is 0, and of an empty list too.
    """
    S, K = lists.shape[1:]
    flat = tf.reshape(lists, [-1, S * K])
    scores = tf.gather(batch.student_logits, flat, batch_dims=1)
    there = tf.reshape((flat > 0) & (scores > MASKED_LOGIT / 2), [-1, S, K])
    # Beyond the length of a list a rank does not count.
    student = tf.cast(tf.reshape(compute_student_ranks(batch, scores, K), [-1, S, K]), tf.float32)
    wanted = tf.cumsum(tf.cast(there, tf.float32), axis=2)
    worth = tf.where(there, 2.0 ** tf.exp((1 - wanted) / GAIN_DECAY) - 1, 0.0)

    def gain(ranks: tf.Tensor) -> tf.Tensor:
        """DCG of books at these ranks, those beyond the length of the list left out."""
        counted = ranks <= tf.reduce_max(wanted, axis=2, keepdims=True)
        discounted = worth * tf.math.log(2.0) / tf.math.log1p(tf.maximum(ranks, 1.0))
        return tf.reduce_sum(tf.where(counted, discounted, 0.0), axis=2)

    best = gain(wanted)
    return tf.where(best > 0, 1 - tf.math.divide_no_nan(gain(student), best), 0.0)

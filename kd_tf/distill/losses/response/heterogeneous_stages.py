"""HetComp: distillation from lists of several teachers, from easy to hard for each user."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.relaxed_list_mle import compute_relaxed_list_mle
from kd_tf.distill.losses.response.teacher_top_k import compute_student_ranks
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history

GAIN_DECAY = 10.0
"""Lambda of the paper, in ranks: how slowly the gain of an item falls with its rank in a list."""


@keras.saving.register_keras_serializable(package="kd_tf")
class HeterogeneousStages(DistillationLoss):
    """Matches the easiest list that the student has not learned yet, finally the hardest in order.

    Several teachers together know more than a small student can learn at once. So every user has
    S lists, from that of an easy teacher to that of all together (the label ``stage_ids``, see
    `kd_tf.distill.teacher_targets`), and is trained on one of them:

    - The discrepancy to a list of K items is ``1 - NDCG@K`` of the student's ranking, where the
      item of rank r in the list has the gain ``2^exp(-(r - 1) / 10) - 1``. A user's stage is the
      first whose list has a discrepancy above the threshold, or the last if there is none.
    - The threshold rises linearly to 1 over the training: in the end all users are at the last
      stage, also those whose easier lists the student cannot learn.
    - Before the last stage all listed items should rank before all others, in any order: the mean
      over them of ``-log exp(s_k) / (exp(s_k) + sum over unlisted j of exp(s_j))``.
    - At the last stage they should be in the list's order, too (`compute_relaxed_list_mle`).

    HetComp of Kang, Kweon, Lee, Lian, Xie & Yu, "Distillation from Heterogeneous Models for Top-K
    Recommendation" (WWW 2023). There the easy lists are those of each teacher early in its own
    training, a teacher advances when the discrepancy to its next list has fallen by a given ratio,
    and the lists of all teachers, each at its own stage, are merged into one of 100 items; order
    matters once all users are at the end, and for half of the list. Here stages are any teachers
    from easy to hard, and a user's stage follows from the current student: no state is kept
    between steps, a resumed training continues identically, and a user for whom the student
    forgets a list returns to it. The ground-truth items are left to the student loss. Losses are
    means and not sums over the items, of about the size of the student loss.

    Args:
        threshold: From 0 to 1: a list with at most this discrepancy counts as learned at the start
            of the training.
        list_length: K, the number of items of each list, at least 1. All have the same weight
            in the end, and a small student cannot learn many (an MLP on MovieLens 100k, NDCG@10
            of one training: 20 items .227, 50 .209, 100 .207).

    Example:
        >>> labels = {"stage_ids": [[[1, 2], [2, 3]]]}  # one user, two lists of two items
        >>> batch = DistillationBatch.from_logits([[0.0, 9.0, 5.0, 1.0]], labels, progress=0.0)
        >>> HeterogeneousStages().assign_stages(batch).numpy().tolist()  # knows the first list
        [1]
    """

    teacher_outputs = ("stage_ids",)

    def __init__(self, threshold: float = 0.5, list_length: int = 20, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be from 0 to 1, not {threshold}")
        if not list_length >= 1:
            raise ValueError(f"list_length must be at least 1, not {list_length}")
        self.threshold = threshold
        self.list_length = list_length

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        lists = self.get_lists(batch)
        stage = self.assign_stages(batch)
        ids = tf.gather(lists, stage, batch_dims=1)
        scores = tf.gather(batch.student_logits, ids, batch_dims=1)
        mask = (ids > 0) & (scores > MASKED_LOGIT / 2)
        scores = tf.where(mask, scores, 0.0)
        unlisted_total = tf.reduce_logsumexp(
            mask_history(batch.student_logits, ids), axis=1, keepdims=True
        )
        unordered_losses = tf.where(mask, tf.nn.softplus(unlisted_total - scores), 0.0)
        unordered_loss = tf.reduce_sum(unordered_losses, axis=1)
        ranks = tf.range(ids.shape[1]) + tf.zeros_like(ids)
        ordered_loss = compute_relaxed_list_mle(
            scores, ranks, mask, unlisted_total, tf.ones_like(unlisted_total, tf.bool)
        )
        total = tf.where(stage == lists.shape[1] - 1, ordered_loss, unordered_loss)
        return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(mask, tf.float32), axis=1))

    def assign_stages(self, batch: DistillationBatch) -> tf.Tensor:
        """Assigns each user to a stage: int32 [B], 0..S - 1."""
        threshold = self.threshold + (1 - self.threshold) * batch.progress
        is_open = compute_discrepancies(batch, self.get_lists(batch)) > threshold
        first = tf.argmax(is_open, axis=1, output_type=tf.int32)
        return tf.where(tf.reduce_any(is_open, axis=1), first, is_open.shape[1] - 1)

    def get_lists(self, batch: DistillationBatch) -> tf.Tensor:
        """Returns the first `list_length` items of every stage's list: int32 [B, S, K]."""
        return batch.labels["stage_ids"][:, :, : self.list_length]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "list_length": self.list_length,
        }


def compute_discrepancies(batch: DistillationBatch, lists: tf.Tensor) -> tf.Tensor:
    """Computes ``1 - NDCG@K`` of the student's ranking against each list: float32 [B, S].

    Padding and items that the student has masked do not count, so that K may be smaller. The
    discrepancy is 0 if the student has the list's order, and for an empty list.

    Args:
        batch: The batch.
        lists: int32 [B, S, K], best first, padded with 0.
    """
    S, K = lists.shape[1:]
    flat = tf.reshape(lists, [-1, S * K])
    scores = tf.gather(batch.student_logits, flat, batch_dims=1)
    mask = tf.reshape((flat > 0) & (scores > MASKED_LOGIT / 2), [-1, S, K])
    # A rank beyond the length of a list does not count.
    student_ranks = compute_student_ranks(batch, scores, K)
    student_ranks = tf.cast(tf.reshape(student_ranks, [-1, S, K]), tf.float32)
    list_ranks = tf.cumsum(tf.cast(mask, tf.float32), axis=2)
    gains = tf.where(mask, 2.0 ** tf.exp((1 - list_ranks) / GAIN_DECAY) - 1, 0.0)

    def compute_dcg(ranks: tf.Tensor) -> tf.Tensor:
        """Computes the DCG of the items at these ranks, without those beyond the list's length."""
        is_counted = ranks <= tf.reduce_max(list_ranks, axis=2, keepdims=True)
        discounted_gains = gains * tf.math.log(2.0) / tf.math.log1p(tf.maximum(ranks, 1.0))
        return tf.reduce_sum(tf.where(is_counted, discounted_gains, 0.0), axis=2)

    ideal = compute_dcg(list_ranks)
    dcg = compute_dcg(student_ranks)
    return tf.where(ideal > 0, 1 - tf.math.divide_no_nan(dcg, ideal), 0.0)

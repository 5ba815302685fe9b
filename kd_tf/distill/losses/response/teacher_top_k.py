"""The teacher's top K items together with the student's logits and ranks of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.losses.softmax import MASKED_LOGIT

TANH_SATURATION = 10.0
"""tanh(10) == 1 in float32, so larger arguments need not be exact."""


@dataclass(frozen=True)
class TeacherTopK:
    """The teacher's top K items of a batch, best first; all tensors have the shape [B, K].

    Attributes:
        ids: int32, 0 is padding.
        mask: bool, False for padding and for items that the student has masked: neither can be
            trained.
        ranks: int32, 1 for the best unmasked item, 2 for the next.
        teacher_logits: float32, 0 where masked.
        student_logits: float32, 0 where masked.
    """

    ids: tf.Tensor
    mask: tf.Tensor
    ranks: tf.Tensor
    teacher_logits: tf.Tensor
    student_logits: tf.Tensor


def gather_teacher_top_k(batch: DistillationBatch) -> TeacherTopK:
    """Gathers what a batch contains about the teacher's top K items.

    Example:
        >>> labels = {"teacher_ids": [[2, 1, 0]], "teacher_logits": [[4.0, 3.0, 0.0]]}
        >>> top_k = gather_teacher_top_k(DistillationBatch.from_logits([[0.0, 5.0, 6.0]], labels))
        >>> top_k.student_logits.numpy().tolist(), top_k.ranks.numpy().tolist()
        ([[6.0, 5.0, 0.0]], [[1, 2, 2]])
    """
    ids = batch.labels["teacher_ids"]
    student = tf.gather(batch.student_logits, ids, batch_dims=1)
    mask = (ids > 0) & (student > MASKED_LOGIT / 2)
    return TeacherTopK(
        ids=ids,
        mask=mask,
        ranks=tf.cumsum(tf.cast(mask, tf.int32), axis=1),
        teacher_logits=tf.where(mask, batch.labels["teacher_logits"], 0.0),
        student_logits=tf.where(mask, student, 0.0),
    )


def compute_student_ranks(batch: DistillationBatch, scores: tf.Tensor, max_rank: int) -> tf.Tensor:
    """Computes the student's ranks of items with the given scores.

    Ranks up to `max_rank` are exact over the whole catalog; the top items are selected without
    sorting the others. Tied items share the worst rank: a student that gives all items the same
    score, as an untrained one, has ranked none of them well.

    Args:
        batch: The batch.
        scores: float32 [B, n], taken from ``batch.student_logits``.
        max_rank: The largest rank that is computed, at least 1.

    Returns:
        int32 [B, n], 1 is the best, ``max_rank + 1`` stands for all larger ranks.
    """
    width = tf.minimum(max_rank + 1, tf.shape(batch.student_logits)[1])
    highest, _ = tf.math.top_k(tf.stop_gradient(batch.student_logits), width)
    return tf.searchsorted(-highest, -tf.stop_gradient(scores), side="right")


def compute_rank_errors(
    batch: DistillationBatch, top_k: TeacherTopK, discrepancy_scale: float
) -> tf.Tensor:
    """Computes how many ranks too low the student places each of the teacher's top K items.

    Args:
        batch: The batch.
        top_k: The teacher's top K of the batch.
        discrepancy_scale: What the caller multiplies the errors by before taking a tanh. Errors
            beyond `TANH_SATURATION` are cut off, as they make no difference there.

    Returns:
        int32 [B, K], negative for items that the student ranks too high.
    """
    max_rank = tf.shape(top_k.ids)[1] + math.ceil(TANH_SATURATION / discrepancy_scale)
    return compute_student_ranks(batch, top_k.student_logits, max_rank) - top_k.ranks

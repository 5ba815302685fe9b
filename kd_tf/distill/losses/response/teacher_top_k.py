"""The teacher's best books beside what the student makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.losses.softmax import MASKED_LOGIT


@dataclass(frozen=True)
class TeacherTopK:
    """The teacher's best books of a batch, best first; everything has the shape [B, K].

    Attributes:
        ids: int32, 0 is padding.
        there: bool, False for padding and for books that the student has masked: neither can be
            learnt.
        ranks: int32, 1 for the best book that is there, 2 for the next.
        teacher: float32, the teacher's logits; 0 where nothing is there.
        student: float32, the student's logits; 0 where nothing is there.
    """

    ids: tf.Tensor
    mask: tf.Tensor
    ranks: tf.Tensor
    teacher_logits: tf.Tensor
    student_logits: tf.Tensor


def gather_teacher_top_k(batch: DistillationBatch) -> TeacherTopK:
    """What `step` says about the teacher's best books."""
    ids = batch.labels["teacher_ids"]
    student = tf.gather(batch.student_logits, ids, batch_dims=1)
    there = (ids > 0) & (student > MASKED_LOGIT / 2)
    return TeacherTopK(
        ids=ids,
        mask=there,
        ranks=tf.cumsum(tf.cast(there, tf.int32), axis=1),
        teacher_logits=tf.where(there, batch.labels["teacher_logits"], 0.0),
        student_logits=tf.where(there, student, 0.0),
    )


TANH_SATURATION = 10.0
"""Where tanh is 1 in float32: what it is taken of need not be known any better above."""


def compute_student_ranks(batch: DistillationBatch, scores: tf.Tensor, max_rank: int) -> tf.Tensor:
    """Which rank the student gives to books with these scores.

    Exact as far as asked, over the whole catalogue: the best books are found without sorting the
    others. Books that tie share the worst rank: a student that does not tell books apart, as one
    that has yet to learn, has ranked none of them well.

    Args:
        step: The batch.
        scores: float32 [B, n], taken from ``step.logits``.
        within: Up to which rank they are wanted, at least 1.

    Returns:
        int32 [B, n], 1 is the best, ``within + 1`` stands for all ranks beyond.
    """
    width = tf.minimum(max_rank + 1, tf.shape(batch.student_logits)[1])
    highest, _ = tf.math.top_k(tf.stop_gradient(batch.student_logits), width)
    return tf.searchsorted(-highest, -tf.stop_gradient(scores), side="right")


def compute_rank_errors(
    batch: DistillationBatch, top_k: TeacherTopK, discrepancy_scale: float
) -> tf.Tensor:
    """How many ranks the student places each of the teacher's best books too low.

    Args:
        step: The batch.
        best: Its best books.
        discrepancy: What the ranks are multiplied with before a tanh is taken: those beyond
            `CERTAIN` are not told apart, as they make no difference there.

    Returns:
        int32 [B, K], negative for books that stand too high.
    """
    within = tf.shape(top_k.ids)[1] + math.ceil(TANH_SATURATION / discrepancy_scale)
    return compute_student_ranks(batch, top_k.student_logits, within) - top_k.ranks

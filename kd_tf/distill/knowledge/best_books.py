"""The teacher's best books beside what the student makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kd_tf.distill.knowledge.base import Step
from kd_tf.keras import tf
from kd_tf.models.losses import MASKED


@dataclass(frozen=True)
class BestBooks:
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
    there: tf.Tensor
    ranks: tf.Tensor
    teacher: tf.Tensor
    student: tf.Tensor


def best_books(step: Step) -> BestBooks:
    """What `step` says about the teacher's best books."""
    ids = step.labels["teacher_ids"]
    student = tf.gather(step.logits, ids, batch_dims=1)
    there = (ids > 0) & (student > MASKED / 2)
    return BestBooks(
        ids=ids,
        there=there,
        ranks=tf.cumsum(tf.cast(there, tf.int32), axis=1),
        teacher=tf.where(there, step.labels["teacher_logits"], 0.0),
        student=tf.where(there, student, 0.0),
    )


CERTAIN = 10.0
"""Where tanh is 1 in float32: what it is taken of need not be known any better above."""


def student_ranks(step: Step, scores: tf.Tensor, within: int) -> tf.Tensor:
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
    width = tf.minimum(within + 1, tf.shape(step.logits)[1])
    highest, _ = tf.math.top_k(tf.stop_gradient(step.logits), width)
    return tf.searchsorted(-highest, -tf.stop_gradient(scores), side="right")


def misplacement(step: Step, best: BestBooks, discrepancy: float) -> tf.Tensor:
    """How many ranks the student places each of the teacher's best books too low.

    Args:
        step: The batch.
        best: Its best books.
        discrepancy: What the ranks are multiplied with before a tanh is taken: those beyond
            `CERTAIN` are not told apart, as they make no difference there.

    Returns:
        int32 [B, K], negative for books that stand too high.
    """
    within = tf.shape(best.ids)[1] + math.ceil(CERTAIN / discrepancy)
    return student_ranks(step, best.student, within) - best.ranks

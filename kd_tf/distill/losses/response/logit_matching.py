"""Logit matching: the teacher's logits themselves."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k


@keras.saving.register_keras_serializable(package="kd_tf")
class LogitMatching(DistillationLoss):
    """By how much the teacher's best books differ in its logits.

    ``mean_i ((s_i - mean(s)) - (t_i - mean(t)))^2`` over the teacher's best books, s the
    student's logits and t the teacher's.

    Ba & Caruana, "Do Deep Nets Really Need to be Deep?" (NIPS 2014). They regress on the logits of
    all classes; here only the best are cached. Both sides are centred over them, because a
    constant in all logits changes no recommendation and should cost nothing. For the same reason
    nothing here says that the other books come later: use it beside a method that does, or beside
    the hard loss.
    """

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        counted = tf.cast(best.mask, tf.float32)
        count = tf.reduce_sum(counted, axis=1, keepdims=True)
        # Both are centred at once: the difference of the means is the mean of the differences.
        difference = best.student_logits - best.teacher_logits
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(counted * difference, axis=1, keepdims=True), count
        )
        squares = counted * tf.square(difference - mean)
        return tf.math.divide_no_nan(tf.reduce_sum(squares, axis=1), count[:, 0])

"""Logit matching: regression on the teacher's logits."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k


@keras.saving.register_keras_serializable(package="kd_tf")
class LogitMatching(DistillationLoss):
    """Matches the differences between the teacher's logits of its top K items.

    ``mean_i ((s_i - mean(s)) - (t_i - mean(t)))^2`` over the teacher's top K items, s the
    student's logits and t the teacher's.

    Ba & Caruana, "Do Deep Nets Really Need to be Deep?" (NIPS 2014). They regress on the logits of
    all classes; here only the top K are cached. Both sides are centered over them, because a
    constant in all logits changes no recommendation and should cost nothing. For the same reason
    this loss does not say that other items rank lower: use it together with a method that does,
    or with the student loss.

    Example:
        >>> labels = {"teacher_ids": [[1, 2]], "teacher_logits": [[3.0, 1.0]]}
        >>> batch = DistillationBatch.from_logits([[0.0, 7.0, 3.0]], labels)
        >>> LogitMatching().compute_loss(batch).numpy().tolist()
        [1.0]
    """

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        mask = tf.cast(top_k.mask, tf.float32)
        count = tf.reduce_sum(mask, axis=1, keepdims=True)
        # Centers both at once: the difference of the means is the mean of the differences.
        difference = top_k.student_logits - top_k.teacher_logits
        mean = tf.math.divide_no_nan(tf.reduce_sum(mask * difference, axis=1, keepdims=True), count)
        squares = mask * tf.square(difference - mean)
        return tf.math.divide_no_nan(tf.reduce_sum(squares, axis=1), count[:, 0])

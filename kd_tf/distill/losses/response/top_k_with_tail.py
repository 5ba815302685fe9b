"""Top K with tail: the teacher's best books, and how much it leaves for all others."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history

MIN_TAIL_PROBABILITY = 1e-6
"""Of the teacher's mass, what float32 cannot tell from nothing."""


@keras.saving.register_keras_serializable(package="kd_tf")
class TopKWithTail(DistillationLoss):
    """The teacher's probability of each of its best books, and of all others together.

    ``T^2 * KL(p || q)`` over K + 1 outcomes: K books, each ``exp(t_i - total)`` of the teacher,
    and the tail, ``1 - sum_i exp(t_i - total)``, with ``total`` the teacher's whole log-partition.
    The student's are ``softmax(s)_i`` over the whole catalogue and the rest of it. Both are exact.
    At a temperature these K + 1 probabilities are raised to ``1 / T`` and made to sum to 1 anew:
    the tail is softened as one outcome, since how it is spread among its books is not cached.
    At every temperature the loss is 0 where the student agrees on all K + 1.

    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015), over fewer
    outcomes. `SoftTargets` counts the tail as 0 and so calls everything beyond the cached books
    impossible; that the best K alone are a biased estimate of the teacher, and make a badly
    calibrated student, is shown by Anshumann et al., "Sparse Logit Sampling: Accelerating
    Knowledge Distillation in LLMs" (ACL 2025), who draw books instead of lumping the tail.

    A book that the student has masked is no outcome; nor is the tail where the student has
    nothing left to give it to.

    Args:
        temperature: T, above 0.
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        # The teacher's own list, with what the student has masked: it is no part of the tail.
        listed = best.ids > 0
        logits = batch.labels["teacher_logits"]
        total = batch.labels["teacher_total"][:, tf.newaxis]
        own = (
            tf.reduce_logsumexp(tf.where(listed, logits, MASKED_LOGIT), axis=1, keepdims=True)
            - total
        )
        tail = tf.math.log(-tf.math.expm1(tf.minimum(own, -MIN_TAIL_PROBABILITY)))
        rest = mask_history(batch.student_logits, best.ids)
        there = tf.concat([best.mask, tf.reduce_any(rest > MASKED_LOGIT / 2, 1, keepdims=True)], 1)
        log_teacher = self._compute_log_probabilities(
            tf.concat([logits - total, tail], axis=1), there
        )
        log_student = self._compute_log_probabilities(
            tf.concat(
                [best.student_logits, tf.reduce_logsumexp(rest, axis=1, keepdims=True)], axis=1
            ),
            there,
        )
        divergence = tf.reduce_sum(
            tf.where(there, tf.exp(log_teacher) * (log_teacher - log_student), 0.0), axis=1
        )
        known = tf.reduce_any(best.mask, axis=1)
        return tf.where(known, self.temperature**2 * divergence, 0.0)

    def _compute_log_probabilities(self, scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(tf.where(mask, scores / self.temperature, MASKED_LOGIT), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}

"""Top K with tail: the probabilities of the teacher's top K items, and of all others together."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history

MIN_TAIL_PROBABILITY = 1e-6
"""A smaller share of the teacher's probability cannot be told from 0 in float32."""


@keras.saving.register_keras_serializable(package="kd_tf")
class TopKWithTail(DistillationLoss):
    """Matches the teacher's probabilities of its top K items, and of all others together.

    ``T^2 * KL(p || q)`` over K + 1 outcomes: K items, each with the teacher's ``exp(t_i - total)``,
    and the tail, ``1 - sum_i exp(t_i - total)``, with ``total`` the teacher's log-partition over
    all items. The student's are ``softmax(s)_i`` over the whole catalog and the rest of it. Both
    are exact. At a temperature these K + 1 probabilities are raised to ``1 / T`` and normalized
    again: the tail is softened as one outcome, since its distribution over items is not cached.
    At every temperature the loss is 0 where the student agrees on all K + 1.

    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015), over fewer
    outcomes. `SoftTargets` counts the tail as 0 and so treats everything beyond the cached items
    as impossible; that the top K alone are a biased estimate of the teacher, and result in a
    badly calibrated student, is shown by Anshumann et al., "Sparse Logit Sampling: Accelerating
    Knowledge Distillation in LLMs" (ACL 2025), who sample items instead of merging the tail.

    An item that the student has masked is no outcome; nor is the tail if the student has no
    unmasked item in it.

    Args:
        temperature: T, above 0.

    Example:
        >>> labels = {"teacher_ids": [[1]], "teacher_logits": [[0.0]], "teacher_total": [0.6931472]}
        >>> batch = DistillationBatch.from_logits([[0.0, 1.0, 1.0]], labels)
        >>> abs(round(float(TopKWithTail().compute_loss(batch)[0]), 4))  # 1/2 for each outcome
        0.0
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        # The teacher's full list: items that the student has masked are not part of the tail.
        is_listed = top_k.ids > 0
        logits = batch.labels["teacher_logits"]
        total = batch.labels["teacher_total"][:, tf.newaxis]
        listed_logits = tf.where(is_listed, logits, MASKED_LOGIT)
        log_listed = tf.reduce_logsumexp(listed_logits, axis=1, keepdims=True) - total
        log_tail = tf.math.log(-tf.math.expm1(tf.minimum(log_listed, -MIN_TAIL_PROBABILITY)))
        tail_logits = mask_history(batch.student_logits, top_k.ids)
        has_tail = tf.reduce_any(tail_logits > MASKED_LOGIT / 2, axis=1, keepdims=True)
        student_tail = tf.reduce_logsumexp(tail_logits, axis=1, keepdims=True)
        mask = tf.concat([top_k.mask, has_tail], axis=1)
        log_teacher = self._compute_log_probabilities(
            tf.concat([logits - total, log_tail], axis=1), mask
        )
        log_student = self._compute_log_probabilities(
            tf.concat([top_k.student_logits, student_tail], axis=1), mask
        )
        divergence = tf.reduce_sum(
            tf.where(mask, tf.exp(log_teacher) * (log_teacher - log_student), 0.0), axis=1
        )
        has_items = tf.reduce_any(top_k.mask, axis=1)
        return tf.where(has_items, self.temperature**2 * divergence, 0.0)

    def _compute_log_probabilities(self, scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Computes the masked log-softmax at the temperature, of the shape of the scores."""
        return tf.nn.log_softmax(tf.where(mask, scores / self.temperature, MASKED_LOGIT), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}

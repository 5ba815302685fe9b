"""Rejuvenated cross-entropy: the teacher's distribution where the student's own best books are."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.distill.losses.sampling import sample_without_replacement
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class RejuvenatedCrossEntropy(DistillationLoss):
    """The teacher's probabilities among the student's best books and among those it misses.

    ``(1 - w) * CE(student's best K) + w * CE(missed and drawn)`` with
    ``w = exp(-beta * overlap)``. ``CE(S) = -sum_{i in S} p_i log q_i``, p and q the softmax of
    teacher's and student's logits over S alone, both divided by the temperature. The overlap is
    the share of the teacher's best K that is among the student's best K; the others are missed.
    Books are drawn without replacement from the student's best `pool`, with odds ``exp(c /
    closeness)``, c being how many of the teacher's best books stand there at the book's own rank
    or later.

    RCE-KD of Zhu & Zhang, "Rejuvenating Cross-Entropy Loss in Knowledge Distillation for
    Recommender Systems" (2025). They prove that cross-entropy on a set of books bounds its NDCG
    only if the set is closed, that is, holds every book that the student ranks above any of its
    own. The student's best K are closed. The teacher's best are not; books that the student
    ranks above them are drawn to come near it. What differs: a book beyond the teacher's cached K
    counts with its smallest cached logit, the most that it can have; the overlap is taken with the
    student's best K; books are drawn in every step.

    Args:
        beta: 0 or more; higher trusts the student's own best books sooner.
        drawn: Books to draw, at least 1.
        pool: From how many of the student's best, at least 1.
        closeness: Above 0; higher draws more evenly.
        temperature: Above 0.
    """

    def __init__(
        self,
        beta: float = 2.0,
        num_samples: int = 50,
        pool_size: int = 200,
        sampling_temperature: float = 10.0,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not beta >= 0:
            raise ValueError(f"beta must be 0 or more, not {beta}")
        if not num_samples >= 1:
            raise ValueError(f"drawn must be at least 1, not {num_samples}")
        if not pool_size >= 1:
            raise ValueError(f"pool must be at least 1, not {pool_size}")
        if not sampling_temperature > 0:
            raise ValueError(f"closeness must be above 0, not {sampling_temperature}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.beta, self.num_samples, self.pool_size = beta, num_samples, pool_size
        self.sampling_temperature, self.temperature = sampling_temperature, temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        count = best.ranks[:, -1:]  # K, less where the teacher has fewer

        # The student's best books, and what the teacher says of them. The pool holds at least K.
        items = tf.shape(batch.student_logits)[1]
        width = tf.minimum(tf.maximum(self.pool_size, tf.shape(best.ids)[1]), items)
        student, top = tf.math.top_k(batch.student_logits, width)
        same = (top[:, :, tf.newaxis] == best.ids[:, tf.newaxis]) & best.mask[:, tf.newaxis]
        listed = tf.reduce_any(same, axis=2)
        least = tf.reduce_min(
            tf.where(best.mask, best.teacher_logits, -MASKED_LOGIT), axis=1, keepdims=True
        )
        cached = tf.reduce_sum(tf.where(same, best.teacher_logits[:, tf.newaxis], 0.0), axis=2)
        teacher = tf.where(listed, cached, least)

        own = (tf.range(1, width + 1) <= count) & (student > MASKED_LOGIT / 2)
        missed = best.mask & ~tf.reduce_any(same & own[:, :, tf.newaxis], axis=1)
        overlap = 1 - tf.math.divide_no_nan(
            tf.reduce_sum(tf.cast(missed, tf.float32), axis=1), tf.cast(count[:, 0], tf.float32)
        )

        later = tf.cumsum(tf.cast(listed, tf.float32), axis=1, reverse=True)
        in_pool = tf.range(width) < tf.maximum(self.pool_size, count)
        allowed = in_pool & (count > 0) & (student > MASKED_LOGIT / 2)
        places, drawn = sample_without_replacement(
            later / self.sampling_temperature, allowed, self.num_samples
        )
        already = tf.reduce_any(
            tf.gather(same, places, batch_dims=1) & drawn[:, :, tf.newaxis], axis=1
        )
        near = self._compute_cross_entropy(
            tf.concat([tf.gather(teacher, places, batch_dims=1), best.teacher_logits], axis=1),
            tf.concat([tf.gather(student, places, batch_dims=1), best.student_logits], axis=1),
            tf.concat([drawn, missed & ~already], axis=1),
        )
        weight = tf.exp(-self.beta * overlap)
        return (1 - weight) * self._compute_cross_entropy(teacher, student, own) + weight * near

    def _compute_cross_entropy(
        self, teacher: tf.Tensor, student: tf.Tensor, mask: tf.Tensor
    ) -> tf.Tensor:
        """float32 [B], 0 where nothing is among; all given as [B, n]."""
        wanted = tf.nn.softmax(tf.where(mask, teacher / self.temperature, MASKED_LOGIT), axis=1)
        given = tf.nn.log_softmax(tf.where(mask, student / self.temperature, MASKED_LOGIT), axis=1)
        return -tf.reduce_sum(tf.where(mask, wanted * given, 0.0), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta": self.beta,
            "num_samples": self.num_samples,
            "pool_size": self.pool_size,
            "sampling_temperature": self.sampling_temperature,
            "temperature": self.temperature,
        }

"""Rejuvenated cross-entropy (RCE-KD): the teacher's distribution over the student's top items."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.distill.losses.sampling import sample_without_replacement
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class RejuvenatedCrossEntropy(DistillationLoss):
    """Matches the teacher's probabilities among the student's top items, and among missed ones.

    ``(1 - w) * CE(student's top K) + w * CE(missed and sampled)`` with
    ``w = exp(-beta * overlap)``. ``CE(S) = -sum_{i in S} p_i log q_i``, p and q the softmax of
    teacher's and student's logits over S alone, both divided by the temperature. The overlap is
    the share of the teacher's top K that is among the student's top K; the others are missed.
    Items are drawn without replacement from the student's top `pool_size`, with odds
    ``exp(c / sampling_temperature)``, where c is the number of the teacher's top items at the
    item's own rank or lower in the student's list.

    RCE-KD of Zhu & Zhang, "Rejuvenating Cross-Entropy Loss in Knowledge Distillation for
    Recommender Systems" (2025). They prove that cross-entropy on a set of items bounds its NDCG
    only if the set is closed, that is, contains every item that the student ranks above any of
    its members. The student's top K are closed. The teacher's top K are not; items that the
    student ranks above them are sampled to approach closure. What differs: an item beyond the
    teacher's cached K counts with the smallest cached logit, an upper bound; the overlap is taken
    with the student's top K; items are drawn in every step.

    Args:
        beta: 0 or more; a higher one shifts the weight to the student's own top items sooner.
        num_samples: Items to draw, at least 1.
        pool_size: The number of the student's top items to draw from, at least 1.
        sampling_temperature: Above 0; a higher one draws more uniformly.
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
            raise ValueError(f"num_samples must be at least 1, not {num_samples}")
        if not pool_size >= 1:
            raise ValueError(f"pool_size must be at least 1, not {pool_size}")
        if not sampling_temperature > 0:
            raise ValueError(f"sampling_temperature must be above 0, not {sampling_temperature}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.beta, self.num_samples, self.pool_size = beta, num_samples, pool_size
        self.sampling_temperature, self.temperature = sampling_temperature, temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        count = top_k.ranks[:, -1:]  # K, or fewer if the teacher has fewer

        # The student's top items with the teacher's logits. The pool contains at least K.
        num_columns = tf.shape(batch.student_logits)[1]
        width = tf.minimum(tf.maximum(self.pool_size, tf.shape(top_k.ids)[1]), num_columns)
        student, student_ids = tf.math.top_k(batch.student_logits, width)
        is_same = student_ids[:, :, tf.newaxis] == top_k.ids[:, tf.newaxis]
        is_same &= top_k.mask[:, tf.newaxis]
        is_cached = tf.reduce_any(is_same, axis=2)
        cached_logits = tf.reduce_sum(
            tf.where(is_same, top_k.teacher_logits[:, tf.newaxis], 0.0), axis=2
        )
        smallest = tf.reduce_min(
            tf.where(top_k.mask, top_k.teacher_logits, -MASKED_LOGIT), axis=1, keepdims=True
        )
        teacher = tf.where(is_cached, cached_logits, smallest)

        in_student_top_k = (tf.range(1, width + 1) <= count) & (student > MASKED_LOGIT / 2)
        is_found = tf.reduce_any(is_same & in_student_top_k[:, :, tf.newaxis], axis=1)
        is_missed = top_k.mask & ~is_found
        num_missed = tf.reduce_sum(tf.cast(is_missed, tf.float32), axis=1)
        overlap = 1 - tf.math.divide_no_nan(num_missed, tf.cast(count[:, 0], tf.float32))

        num_lower = tf.cumsum(tf.cast(is_cached, tf.float32), axis=1, reverse=True)
        in_pool = tf.range(width) < tf.maximum(self.pool_size, count)
        indices, is_drawn = sample_without_replacement(
            num_lower / self.sampling_temperature,
            in_pool & (count > 0) & (student > MASKED_LOGIT / 2),
            self.num_samples,
        )
        is_also_drawn = tf.reduce_any(
            tf.gather(is_same, indices, batch_dims=1) & is_drawn[:, :, tf.newaxis], axis=1
        )
        missed_loss = self._compute_cross_entropy(
            tf.concat([tf.gather(teacher, indices, batch_dims=1), top_k.teacher_logits], axis=1),
            tf.concat([tf.gather(student, indices, batch_dims=1), top_k.student_logits], axis=1),
            tf.concat([is_drawn, is_missed & ~is_also_drawn], axis=1),
        )
        top_loss = self._compute_cross_entropy(teacher, student, in_student_top_k)
        weight = tf.exp(-self.beta * overlap)
        return (1 - weight) * top_loss + weight * missed_loss

    def _compute_cross_entropy(
        self, teacher: tf.Tensor, student: tf.Tensor, mask: tf.Tensor
    ) -> tf.Tensor:
        """Computes the cross-entropy over the unmasked of [B, n] logits: float32 [B], 0 if none."""
        teacher = tf.where(mask, teacher / self.temperature, MASKED_LOGIT)
        student = tf.where(mask, student / self.temperature, MASKED_LOGIT)
        products = tf.nn.softmax(teacher, axis=1) * tf.nn.log_softmax(student, axis=1)
        return -tf.reduce_sum(tf.where(mask, products, 0.0), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta": self.beta,
            "num_samples": self.num_samples,
            "pool_size": self.pool_size,
            "sampling_temperature": self.sampling_temperature,
            "temperature": self.temperature,
        }

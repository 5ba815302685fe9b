"""Dual correction distillation (DCD): items that the student ranks too low or too high."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.relaxed_list_mle import compute_relaxed_list_mle
from kd_tf.distill.losses.response.teacher_top_k import (
    compute_rank_errors,
    gather_teacher_top_k,
)
from kd_tf.distill.losses.sampling import sample_without_replacement
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class DualCorrection(DistillationLoss):
    """Ranks the items that the student under-estimates before those that it over-estimates.

    ``-log prod_k exp(s_k) / (sum_{i >= k} exp(s_i) + sum_j exp(s_j))``, k and i over
    under-estimated items in the teacher's order, j over over-estimated ones, s the student's
    logits. Both are drawn in every step without replacement, with odds
    ``tanh(max(discrepancy_scale * (student's rank - teacher's rank), 0))`` for the first and the
    same of the negative difference for the second. An item beyond the teacher's top K has the
    rank K + 1. So the under-estimated are among the teacher's top K, the over-estimated among the
    student's, and a student that ranks its top K as the teacher does has loss 0.

    The user side of DCD of Lee & Kim, "Dual Correction Strategy for Ranking Distillation in Top-N
    Recommender System" (CIKM 2021); `ItemSideDualCorrection` is the item side. The paper adds
    both to relaxed ranking distillation: for that, pass `RelaxedRanking` to the Distiller as
    well. The student's ranks are exact and those of the current step.

    Args:
        num_underestimated: Under-estimated items to draw, at least 1.
        num_overestimated: Over-estimated items to draw, at least 1.
        discrepancy_scale: Above 0; a higher one draws a slightly misplaced item as often as one
            far from its rank.

    Example:
        >>> labels = {"teacher_ids": [[1, 2]], "teacher_logits": [[2.0, 1.0]]}
        >>> same_order = DistillationBatch.from_logits([[0.0, 9.0, 5.0, 1.0]], labels)
        >>> DualCorrection().compute_loss(same_order).numpy().tolist()
        [0.0]
        >>> reversed_order = DistillationBatch.from_logits([[0.0, 1.0, 5.0, 9.0]], labels)
        >>> float(DualCorrection().compute_loss(reversed_order)[0]) > 1
        True
    """

    default_weight = 0.1

    def __init__(
        self,
        num_underestimated: int = 20,
        num_overestimated: int = 20,
        discrepancy_scale: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not num_underestimated >= 1:
            raise ValueError(f"num_underestimated must be at least 1, not {num_underestimated}")
        if not num_overestimated >= 1:
            raise ValueError(f"num_overestimated must be at least 1, not {num_overestimated}")
        if not discrepancy_scale > 0:
            raise ValueError(f"discrepancy_scale must be above 0, not {discrepancy_scale}")
        self.num_underestimated, self.num_overestimated = num_underestimated, num_overestimated
        self.discrepancy_scale = discrepancy_scale

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        low_indices, low_mask = self._sample_misplaced(
            compute_rank_errors(batch, top_k, self.discrepancy_scale),
            top_k.mask,
            self.num_underestimated,
        )

        width = tf.minimum(tf.shape(top_k.ids)[1], tf.shape(batch.student_logits)[1])
        student_scores, student_ids = tf.math.top_k(batch.student_logits, width)
        is_same = student_ids[:, :, tf.newaxis] == top_k.ids[:, tf.newaxis]
        is_same &= top_k.mask[:, tf.newaxis]
        cached_ranks = tf.reduce_sum(tf.where(is_same, top_k.ranks[:, tf.newaxis], 0), axis=2)
        rank_beyond = top_k.ranks[:, -1:] + 1
        teacher_ranks = tf.where(cached_ranks > 0, cached_ranks, rank_beyond)
        high_indices, high_mask = self._sample_misplaced(
            teacher_ranks - tf.range(1, width + 1),
            student_scores > MASKED_LOGIT / 2,
            self.num_overestimated,
        )

        return compute_relaxed_list_mle(
            tf.gather(top_k.student_logits, low_indices, batch_dims=1),
            tf.gather(top_k.ranks, low_indices, batch_dims=1),
            low_mask,
            tf.gather(student_scores, high_indices, batch_dims=1),
            high_mask,
        )

    def _sample_misplaced(
        self, rank_errors: tf.Tensor, mask: tf.Tensor, count: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws unmasked items that are misplaced by a rank or more; returns indices and mask."""
        is_misplaced = rank_errors >= 1
        odds = tf.tanh(self.discrepancy_scale * tf.cast(tf.maximum(rank_errors, 1), tf.float32))
        return sample_without_replacement(tf.math.log(odds), mask & is_misplaced, count)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_underestimated": self.num_underestimated,
            "num_overestimated": self.num_overestimated,
            "discrepancy_scale": self.discrepancy_scale,
        }

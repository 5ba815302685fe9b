"""Dual correction: where the student's ranks are wrong, in both directions."""

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
    """Which books the student ranks too low and too high: the first should precede the second.

    ``-log prod_k exp(s_k) / (sum_{i >= k} exp(s_i) + sum_j exp(s_j))``, k and i over
    under-estimated books in the teacher's order, j over over-estimated ones, s the student's
    logits. Both are drawn in every step without replacement, with odds
    ``tanh(max(discrepancy * (student's rank - teacher's rank), 0))`` and the same of the negative.
    The teacher's rank of a book beyond its K is K + 1. So the under-estimated are among the
    teacher's best K, the over-estimated among the student's, and a student that ranks its best K
    as the teacher does has loss 0.

    DCD of Lee & Kim, "Dual Correction Strategy for Ranking Distillation in Top-N Recommender
    System" (CIKM 2021). Its reader side; `ItemSideDualCorrection` is the other. The paper adds
    both to relaxed ranking distillation; give the Distiller `RelaxedRanking` beside them for
    that. The student's ranks are exact and those of this step.

    Args:
        under: Under-estimated books to draw, at least 1.
        over: Over-estimated books to draw, at least 1.
        discrepancy: Above 0; higher draws a slightly misplaced book as often as a lost one.
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
            raise ValueError(f"under must be at least 1, not {num_underestimated}")
        if not num_overestimated >= 1:
            raise ValueError(f"over must be at least 1, not {num_overestimated}")
        if not discrepancy_scale > 0:
            raise ValueError(f"discrepancy must be above 0, not {discrepancy_scale}")
        self.num_underestimated, self.num_overestimated, self.discrepancy_scale = (
            num_underestimated,
            num_overestimated,
            discrepancy_scale,
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        low, low_drawn = self._sample_misplaced(
            compute_rank_errors(batch, best, self.discrepancy_scale),
            best.mask,
            self.num_underestimated,
        )

        width = tf.minimum(tf.shape(best.ids)[1], tf.shape(batch.student_logits)[1])
        top_scores, top = tf.math.top_k(batch.student_logits, width)
        same = (top[:, :, tf.newaxis] == best.ids[:, tf.newaxis]) & best.mask[:, tf.newaxis]
        listed = tf.reduce_sum(tf.where(same, best.ranks[:, tf.newaxis], 0), axis=2)
        beyond = best.ranks[:, -1:] + 1
        too_high = tf.where(listed > 0, listed, beyond) - tf.range(1, width + 1)
        high, high_drawn = self._sample_misplaced(
            too_high, top_scores > MASKED_LOGIT / 2, self.num_overestimated
        )

        return compute_relaxed_list_mle(
            tf.gather(best.student_logits, low, batch_dims=1),
            tf.gather(best.ranks, low, batch_dims=1),
            low_drawn,
            tf.gather(top_scores, high, batch_dims=1),
            high_drawn,
        )

    def _sample_misplaced(
        self, rank_errors: tf.Tensor, mask: tf.Tensor, count: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws among `allowed` what is misplaced by a rank or more."""
        wrong = rank_errors >= 1
        odds = tf.tanh(self.discrepancy_scale * tf.cast(tf.maximum(rank_errors, 1), tf.float32))
        return sample_without_replacement(tf.math.log(odds), mask & wrong, count)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_underestimated": self.num_underestimated,
            "num_overestimated": self.num_overestimated,
            "discrepancy_scale": self.discrepancy_scale,
        }

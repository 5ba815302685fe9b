"""Dual correction: where the student's ranks are wrong, in both directions."""

from __future__ import annotations

from typing import Any

from kd_tf.distill.knowledge.base import Knowledge, Step
from kd_tf.distill.knowledge.best_books import best_books, misplacement
from kd_tf.distill.knowledge.drawing import draw
from kd_tf.distill.knowledge.relaxed_order import relaxed_order_loss
from kd_tf.keras import keras, tf
from kd_tf.models.losses import MASKED


@keras.saving.register_keras_serializable(package="kd_tf")
class DualCorrection(Knowledge):
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
        self, under: int = 20, over: int = 20, discrepancy: float = 0.1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not under >= 1:
            raise ValueError(f"under must be at least 1, not {under}")
        if not over >= 1:
            raise ValueError(f"over must be at least 1, not {over}")
        if not discrepancy > 0:
            raise ValueError(f"discrepancy must be above 0, not {discrepancy}")
        self.under, self.over, self.discrepancy = under, over, discrepancy

    def loss(self, step: Step) -> tf.Tensor:
        best = best_books(step)
        low, low_drawn = self._draw(
            misplacement(step, best, self.discrepancy), best.there, self.under
        )

        width = tf.minimum(tf.shape(best.ids)[1], tf.shape(step.logits)[1])
        top_scores, top = tf.math.top_k(step.logits, width)
        same = (top[:, :, tf.newaxis] == best.ids[:, tf.newaxis]) & best.there[:, tf.newaxis]
        listed = tf.reduce_sum(tf.where(same, best.ranks[:, tf.newaxis], 0), axis=2)
        beyond = best.ranks[:, -1:] + 1
        too_high = tf.where(listed > 0, listed, beyond) - tf.range(1, width + 1)
        high, high_drawn = self._draw(too_high, top_scores > MASKED / 2, self.over)

        return relaxed_order_loss(
            tf.gather(best.student, low, batch_dims=1),
            tf.gather(best.ranks, low, batch_dims=1),
            low_drawn,
            tf.gather(top_scores, high, batch_dims=1),
            high_drawn,
        )

    def _draw(
        self, misplaced: tf.Tensor, allowed: tf.Tensor, count: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws among `allowed` what is misplaced by a rank or more."""
        wrong = misplaced >= 1
        odds = tf.tanh(self.discrepancy * tf.cast(tf.maximum(misplaced, 1), tf.float32))
        return draw(tf.math.log(odds), allowed & wrong, count)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "under": self.under,
            "over": self.over,
            "discrepancy": self.discrepancy,
        }

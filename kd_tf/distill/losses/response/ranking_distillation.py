"""Ranking distillation: the teacher's best books as books that the reader likes."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import (
    compute_rank_errors,
    gather_teacher_top_k,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class RankingDistillation(DistillationLoss):
    """The teacher's best books, the first and the worst misplaced of them most.

    ``-sum_r a_r * b_r * log sigmoid(s_r)`` over the teacher's best books, s_r the student's logit
    of the book of rank r. The position weight ``a_r`` is proportional to
    ``exp(-r / position_decay)`` and sums to 1; the discrepancy weight is
    ``b_r = tanh(max(discrepancy * (student's rank - r), 0))``, and 1 during the warm-up, when the
    student's ranks still mean nothing. No gradient goes through the weights.

    RD of Tang & Wang, "Ranking Distillation: Learning Compact Ranking Models With High Performance
    for Recommender System" (KDD 2018). They estimate the student's rank from sampled books; a
    student of ours scores the whole catalogue anyway, so the rank is exact. Their warm-up counts
    epochs, ours is a share of the training. As with them, nothing here says which books should not
    be liked: it belongs beside the hard loss.

    Args:
        position_decay: Lambda, above 0, in ranks; lower looks at the very best books alone.
        discrepancy: Mu, above 0; higher gives a book that is a little too low the full weight.
        warm_up: Share of the training before the discrepancy counts, 0 to 1. Outside training
            it never does, so that figures of validation can be compared.
    """

    def __init__(
        self,
        position_decay: float = 10.0,
        discrepancy_scale: float = 0.1,
        warm_up: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not position_decay > 0:
            raise ValueError(f"position_decay must be above 0, not {position_decay}")
        if not discrepancy_scale > 0:
            raise ValueError(f"discrepancy must be above 0, not {discrepancy_scale}")
        if not 0 <= warm_up <= 1:
            raise ValueError(f"warm_up must be in [0, 1], not {warm_up}")
        self.position_decay = position_decay
        self.discrepancy_scale = discrepancy_scale
        self.warm_up = warm_up

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        ranks = tf.cast(best.ranks, tf.float32)
        # The first has 1, whatever the decay: exp(-1 / position_decay) may round to 0.
        weight = tf.where(best.mask, tf.exp((1 - ranks) / self.position_decay), 0.0)
        weight = tf.math.divide_no_nan(weight, tf.reduce_sum(weight, axis=1, keepdims=True))
        if batch.training:
            too_low = tf.cast(compute_rank_errors(batch, best, self.discrepancy_scale), tf.float32)
            misplaced = tf.tanh(tf.maximum(self.discrepancy_scale * too_low, 0.0))
            weight *= tf.where(batch.progress < self.warm_up, 1.0, misplaced)
        return tf.reduce_sum(weight * tf.nn.softplus(-best.student_logits), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "position_decay": self.position_decay,
            "discrepancy_scale": self.discrepancy_scale,
            "warm_up": self.warm_up,
        }

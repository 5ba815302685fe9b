"""Ranking distillation (RD): the teacher's top K items as weighted positive items."""

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
    """Treats the teacher's top K items as positives, weighted by rank and by the student's error.

    ``-sum_r a_r * b_r * log sigmoid(s_r)`` over the teacher's top K items, s_r the student's logit
    of the item of rank r. The position weight ``a_r`` is proportional to
    ``exp(-r / position_decay)`` and sums to 1; the discrepancy weight is
    ``b_r = tanh(max(discrepancy_scale * (student's rank - r), 0))``, and 1 during the warm-up,
    while the student's ranks are still meaningless. No gradient flows through the weights.

    RD of Tang & Wang, "Ranking Distillation: Learning Compact Ranking Models With High Performance
    for Recommender System" (KDD 2018). They estimate the student's rank from sampled items; here
    the student scores the whole catalog anyway, so the rank is exact. Their warm-up is counted in
    epochs, here it is a share of the training. As in the paper, the loss has no negative items:
    use it together with the student loss.

    Args:
        position_decay: Lambda, above 0, in ranks; a lower one weighs the first items more.
        discrepancy_scale: Mu, above 0; a higher one gives the full weight to an item that is only
            a few ranks too low.
        warm_up: Share of the training before the discrepancy weight is used, from 0 to 1. Outside
            training it is never used, so that validation losses are comparable.

    Example:
        >>> labels = {"teacher_ids": [[1, 2]], "teacher_logits": [[2.0, 1.0]]}
        >>> batch = DistillationBatch.from_logits([[0.0, 0.0, 0.0]], labels)
        >>> round(float(RankingDistillation().compute_loss(batch)[0]), 3)  # log 2
        0.693
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
            raise ValueError(f"discrepancy_scale must be above 0, not {discrepancy_scale}")
        if not 0 <= warm_up <= 1:
            raise ValueError(f"warm_up must be in [0, 1], not {warm_up}")
        self.position_decay = position_decay
        self.discrepancy_scale = discrepancy_scale
        self.warm_up = warm_up

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        ranks = tf.cast(top_k.ranks, tf.float32)
        # exp((1 - r) / decay) and not exp(-r / decay), which may underflow for all ranks.
        weight = tf.where(top_k.mask, tf.exp((1 - ranks) / self.position_decay), 0.0)
        weight = tf.math.divide_no_nan(weight, tf.reduce_sum(weight, axis=1, keepdims=True))
        if batch.training:
            errors = compute_rank_errors(batch, top_k, self.discrepancy_scale)
            discrepancy = self.discrepancy_scale * tf.cast(errors, tf.float32)
            discrepancy_weight = tf.tanh(tf.maximum(discrepancy, 0.0))
            weight *= tf.where(batch.progress < self.warm_up, 1.0, discrepancy_weight)
        return tf.reduce_sum(weight * tf.nn.softplus(-top_k.student_logits), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "position_decay": self.position_decay,
            "discrepancy_scale": self.discrepancy_scale,
            "warm_up": self.warm_up,
        }

"""Relaxed ranking distillation (RRD): the teacher's order of a sample of its top K items."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.relaxed_list_mle import compute_relaxed_list_mle
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.distill.losses.sampling import sample_uniform_items, sample_without_replacement
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class RelaxedRanking(DistillationLoss):
    """Matches the teacher's order of interesting items, all ranked before uninteresting ones.

    ``-log prod_k exp(s_k) / (sum_{i >= k} exp(s_i) + sum_j exp(s_j))``, k and i over the
    interesting items in the teacher's order, j over the uninteresting ones, s the student's
    logits. In every step, interesting items are drawn from the teacher's top K with odds
    ``exp(-rank / temperature)``, without replacement, and uninteresting ones uniformly from the
    rest of the catalog. The order among the uninteresting items does not matter.

    RRD of Kang, Hwang, Kweon & Yu, "DE-RRD: A Knowledge Distillation Framework for Recommender
    System" (CIKM 2020). Here new items are drawn in every step, at no extra cost. The loss is a
    sum over the interesting items, so about as many times as large as the student loss; its
    weight has to account for that.

    Args:
        num_interesting: Items to draw from the teacher's top K, at least 1.
        num_uninteresting: Items to draw from the rest, at least 1.
        temperature: T, above 0, in ranks; a lower one draws more of the top items.

    Example:
        >>> labels = {"teacher_ids": [[1, 2]], "teacher_logits": [[2.0, 1.0]]}
        >>> batch = DistillationBatch.from_logits([[0.0, 1.0, 1.0, -50.0]], labels)
        >>> round(float(RelaxedRanking().compute_loss(batch)[0]), 3)  # log 2: two are tied
        0.693
    """

    default_weight = 0.1

    def __init__(
        self,
        num_interesting: int = 20,
        num_uninteresting: int = 50,
        temperature: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not num_interesting >= 1:
            raise ValueError(f"num_interesting must be at least 1, not {num_interesting}")
        if not num_uninteresting >= 1:
            raise ValueError(f"num_uninteresting must be at least 1, not {num_uninteresting}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.num_interesting = num_interesting
        self.num_uninteresting = num_uninteresting
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        top_k = gather_teacher_top_k(batch)
        log_odds = -tf.cast(top_k.ranks, tf.float32) / self.temperature
        indices, is_drawn = sample_without_replacement(log_odds, top_k.mask, self.num_interesting)

        def is_uninteresting(ids: tf.Tensor) -> tf.Tensor:
            is_unseen = tf.gather(batch.student_logits, ids, batch_dims=1) > MASKED_LOGIT / 2
            is_same = ids[:, :, tf.newaxis] == top_k.ids[:, tf.newaxis]
            return is_unseen & ~tf.reduce_any(is_same, axis=2)

        other_ids, other_mask = sample_uniform_items(
            batch.student_logits.shape[1] - 1,
            tf.shape(log_odds)[0],
            self.num_uninteresting,
            is_uninteresting,
        )
        return compute_relaxed_list_mle(
            tf.gather(top_k.student_logits, indices, batch_dims=1),
            tf.gather(top_k.ranks, indices, batch_dims=1),
            is_drawn,
            tf.gather(batch.student_logits, other_ids, batch_dims=1),
            other_mask,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_interesting": self.num_interesting,
            "num_uninteresting": self.num_uninteresting,
            "temperature": self.temperature,
        }

"""Relaxed ranking distillation: the teacher's order of some of its best books."""

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
    """The order of the books that the teacher finds interesting, all of them before the others.

    ``-log prod_k exp(s_k) / (sum_{i >= k} exp(s_i) + sum_j exp(s_j))``, k and i over the
    interesting books in the teacher's order, j over the uninteresting ones, s the student's
    logits. Interesting books are drawn in every step from the teacher's best K with odds
    ``exp(-rank / temperature)``, without replacement; uninteresting ones evenly from the rest of
    the catalogue. Nothing is asked about the order among the latter.

    RRD of Kang, Hwang, Kweon & Yu, "DE-RRD: A Knowledge Distillation Framework for Recommender
    System" (CIKM 2020). Books are drawn anew in every step, which costs nothing here. The loss is a
    sum over the interesting books, so about as many times as large as the hard loss: the balance
    has to weigh that.

    Args:
        interesting: Books to draw of the teacher's best, at least 1.
        uninteresting: Books to draw of the rest, at least 1.
        temperature: T, above 0, in ranks; lower draws more of the very best.
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
            raise ValueError(f"interesting must be at least 1, not {num_interesting}")
        if not num_uninteresting >= 1:
            raise ValueError(f"uninteresting must be at least 1, not {num_uninteresting}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.num_interesting = num_interesting
        self.num_uninteresting = num_uninteresting
        self.temperature = temperature

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        odds = -tf.cast(best.ranks, tf.float32) / self.temperature
        places, drawn = sample_without_replacement(odds, best.mask, self.num_interesting)

        def uninteresting(ids: tf.Tensor) -> tf.Tensor:
            unread = tf.gather(batch.student_logits, ids, batch_dims=1) > MASKED_LOGIT / 2
            return unread & ~tf.reduce_any(ids[:, :, tf.newaxis] == best.ids[:, tf.newaxis], axis=2)

        others, others_drawn = sample_uniform_items(
            batch.student_logits.shape[1] - 1,
            tf.shape(odds)[0],
            self.num_uninteresting,
            uninteresting,
        )
        return compute_relaxed_list_mle(
            tf.gather(best.student_logits, places, batch_dims=1),
            tf.gather(best.ranks, places, batch_dims=1),
            drawn,
            tf.gather(batch.student_logits, others, batch_dims=1),
            others_drawn,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_interesting": self.num_interesting,
            "num_uninteresting": self.num_uninteresting,
            "temperature": self.temperature,
        }

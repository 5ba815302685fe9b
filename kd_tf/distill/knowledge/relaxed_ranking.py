"""Relaxed ranking distillation: the teacher's order of some of its best books."""

from __future__ import annotations

from typing import Any

from kd_tf.distill.knowledge.base import Knowledge, Step
from kd_tf.distill.knowledge.best_books import best_books
from kd_tf.distill.knowledge.drawing import draw, draw_evenly
from kd_tf.distill.knowledge.relaxed_order import relaxed_order_loss
from kd_tf.keras import keras, tf
from kd_tf.models.losses import MASKED


@keras.saving.register_keras_serializable(package="kd_tf")
class RelaxedRanking(Knowledge):
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
        interesting: int = 20,
        uninteresting: int = 50,
        temperature: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not interesting >= 1:
            raise ValueError(f"interesting must be at least 1, not {interesting}")
        if not uninteresting >= 1:
            raise ValueError(f"uninteresting must be at least 1, not {uninteresting}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.interesting = interesting
        self.uninteresting = uninteresting
        self.temperature = temperature

    def loss(self, step: Step) -> tf.Tensor:
        best = best_books(step)
        odds = -tf.cast(best.ranks, tf.float32) / self.temperature
        places, drawn = draw(odds, best.there, self.interesting)

        def uninteresting(ids: tf.Tensor) -> tf.Tensor:
            unread = tf.gather(step.logits, ids, batch_dims=1) > MASKED / 2
            return unread & ~tf.reduce_any(ids[:, :, tf.newaxis] == best.ids[:, tf.newaxis], axis=2)

        others, others_drawn = draw_evenly(
            step.logits.shape[1] - 1, tf.shape(odds)[0], self.uninteresting, uninteresting
        )
        return relaxed_order_loss(
            tf.gather(best.student, places, batch_dims=1),
            tf.gather(best.ranks, places, batch_dims=1),
            drawn,
            tf.gather(step.logits, others, batch_dims=1),
            others_drawn,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "interesting": self.interesting,
            "uninteresting": self.uninteresting,
            "temperature": self.temperature,
        }

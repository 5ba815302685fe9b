"""Collaborative distillation: how sure the teacher is of each of its best books."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss
from kd_tf.distill.losses.response.teacher_top_k import gather_teacher_top_k
from kd_tf.distill.losses.sampling import sample_without_replacement


@keras.saving.register_keras_serializable(package="kd_tf")
class CollaborativeDistillation(DistillationLoss):
    """How likely each of the teacher's best books is, each judged alone.

    Mean over the drawn books of ``-q log sigmoid(s) - (1 - q) log(1 - sigmoid(s))``, s the
    student's logit and ``q = sigmoid(teacher's logit / temperature)``. Books are drawn in every
    step from the teacher's best K without replacement, with odds ``exp(-rank / rank_decay)``: the
    ends of long lists are looked at too, but seldom.

    CD of Lee, Choi, Lee & Shim, "Collaborative Distillation for Top-N Recommendation" (ICDM
    2019), trained as the teacher guides. What differs: books are drawn from what is cached of the
    teacher and not from the whole catalogue, and the loss is their mean and not their sum, so
    that its weight does not change with their number. A sigmoid looks at the height of a logit
    and not only at its distance to others: it suits teachers that learnt yes or no for each book
    better than those that learnt a distribution over the catalogue.

    Args:
        count: Books to draw, at least 1.
        temperature: T, above 0; higher makes the teacher less sure.
        rank_decay: Above 0, in ranks; lower draws more of the very best.
    """

    def __init__(
        self,
        num_samples: int = 20,
        temperature: float = 1.0,
        rank_decay: float = 20.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not num_samples >= 1:
            raise ValueError(f"count must be at least 1, not {num_samples}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        if not rank_decay > 0:
            raise ValueError(f"rank_decay must be above 0, not {rank_decay}")
        self.num_samples, self.temperature, self.rank_decay = num_samples, temperature, rank_decay

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        best = gather_teacher_top_k(batch)
        odds = -tf.cast(best.ranks, tf.float32) / self.rank_decay
        places, drawn = sample_without_replacement(odds, best.mask, self.num_samples)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.sigmoid(
                tf.gather(best.teacher_logits, places, batch_dims=1) / self.temperature
            ),
            logits=tf.gather(best.student_logits, places, batch_dims=1),
        )
        counted = tf.cast(drawn, tf.float32)
        return tf.math.divide_no_nan(
            tf.reduce_sum(counted * entropy, axis=1), tf.reduce_sum(counted, axis=1)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "temperature": self.temperature,
            "rank_decay": self.rank_decay,
        }

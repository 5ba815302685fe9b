"""Item similarity distillation: the teacher's item-to-item scores, without users."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.batch_entities import sample_target_items
from kd_tf.distill.losses.relation.similar_items import find_similar_items
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history


@keras.saving.register_keras_serializable(package="kd_tf")
class ItemSimilarity(DistillationLoss):
    """Matches the teacher's distribution over the items similar to each target item.

    ``T^2 * -sum over j of p_bj log q_bj``, averaged over the different target items b of the
    batch: p_b is the softmax of the teacher's ``similar(b) / T`` over its `num_neighbours` most
    similar items, q_b that of the student's over the whole catalog, both without b itself. Every
    example has this mean as its loss.

    The soft cross-entropy of Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural
    Network" (2015), for items in place of users, as item-to-item models are trained row by row:
    Ning & Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems" (ICDM 2011). The
    teacher's scores are computed once, before training.

    Args:
        num_neighbours: The maximum number of the teacher's similar items per item, at least 1.
        temperature: T, above 0.
        max_items: The maximum number of different target items of a batch, at least 1.
    """

    def __init__(
        self,
        num_neighbours: int = 50,
        temperature: float = 1.0,
        max_items: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_neighbours < 1 or max_items < 1:
            raise ValueError(
                "num_neighbours and max_items must be at least 1, not "
                f"{num_neighbours} and {max_items}"
            )
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.num_neighbours, self.max_items = num_neighbours, max_items
        self.temperature = temperature

    def build(self, setup: DistillationSetup) -> None:
        similar = find_similar_items(setup.teacher, self.num_neighbours)
        mask = similar.ids > 0
        logits = tf.where(mask, similar.scores / self.temperature, MASKED_LOGIT)
        self.neighbour_ids = similar.ids
        self.neighbour_probabilities = tf.where(mask, tf.nn.softmax(logits, axis=1), 0.0)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        items = sample_target_items(batch, self.max_items)
        ids = tf.gather(self.neighbour_ids, items)
        teacher_probabilities = tf.gather(self.neighbour_probabilities, items)
        student_logits = batch.student.similar(items) / self.temperature
        student_logits = mask_history(student_logits, items[:, tf.newaxis])
        log_student = tf.gather(student_logits, ids, batch_dims=1) - tf.reduce_logsumexp(
            student_logits, axis=1, keepdims=True
        )
        item_losses = -tf.reduce_sum(
            teacher_probabilities * tf.where(ids > 0, log_student, 0.0), axis=1
        )
        num_targets = tf.reduce_sum(tf.cast(items > 0, tf.float32))
        mean = tf.math.divide_no_nan(tf.reduce_sum(item_losses), num_targets)
        return tf.fill([tf.shape(batch.history)[0]], self.temperature**2 * mean)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_neighbours": self.num_neighbours,
            "temperature": self.temperature,
            "max_items": self.max_items,
        }

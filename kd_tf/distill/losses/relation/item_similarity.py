"""Item rows: which books the teacher finds like a book, without readers."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.batch_entities import sample_target_items
from kd_tf.distill.losses.relation.similar_items import find_similar_items
from kd_tf.losses.softmax import MASKED_LOGIT, mask_history


@keras.saving.register_keras_serializable(package="kd_tf")
class ItemSimilarity(DistillationLoss):
    """The teacher's distribution over the books that are like a book, for each target book.

    ``T^2 * -sum over j of p_bj log q_bj``, the mean over the different target books b of the
    batch: p_b is the softmax of the teacher's ``similar(b) / T`` over its `targets` strongest
    books, q_b that of the student's over the whole catalogue, both without b itself. Every
    example has this mean as its loss.

    The soft cross-entropy of Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural
    Network" (2015), asked of books in place of readers, as item-to-item models are learnt row by
    row: Ning & Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems" (ICDM 2011).
    The teacher is asked once, before training.

    Args:
        targets: How many of the teacher's books a row has at most, at least 1.
        temperature: T, above 0.
        books: At most so many different target books of a batch, at least 1.
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
                f"targets and books must be at least 1, not {num_neighbours} and {max_items}"
            )
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.num_neighbours, self.temperature, self.max_items = (
            num_neighbours,
            temperature,
            max_items,
        )

    def build(self, setup: DistillationSetup) -> None:
        similar = find_similar_items(setup.teacher, self.num_neighbours)
        there = similar.ids > 0
        logits = tf.where(there, similar.scores / self.temperature, MASKED_LOGIT)
        self.neighbour_ids = similar.ids
        self.neighbour_probabilities = tf.where(there, tf.nn.softmax(logits, axis=1), 0.0)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        items = sample_target_items(batch, self.max_items)
        ids, wanted = (
            tf.gather(self.neighbour_ids, items),
            tf.gather(self.neighbour_probabilities, items),
        )
        student = batch.student.similar(items) / self.temperature
        student = mask_history(student, items[:, tf.newaxis])
        log_student = tf.gather(student, ids, batch_dims=1) - tf.reduce_logsumexp(
            student, axis=1, keepdims=True
        )
        rows = -tf.reduce_sum(wanted * tf.where(ids > 0, log_student, 0.0), axis=1)
        found = tf.reduce_sum(tf.cast(items > 0, tf.float32))
        mean = tf.math.divide_no_nan(tf.reduce_sum(rows), found)
        return tf.fill([tf.shape(batch.history)[0]], self.temperature**2 * mean)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_neighbours": self.num_neighbours,
            "temperature": self.temperature,
            "max_items": self.max_items,
        }

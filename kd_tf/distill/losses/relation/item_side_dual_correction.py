"""Dual correction on the side of the items: which readers a book should reach before others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.batch_entities import sample_target_items
from kd_tf.distill.losses.response.dual_correction import DualCorrection
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT


@keras.saving.register_keras_serializable(package="kd_tf")
class ItemSideDualCorrection(DualCorrection):
    """For which readers of a batch the student ranks a book too low and for which too high.

    `DualCorrection`'s loss with readers and books exchanged: a list belongs to a target book and
    ranks the readers of the batch, best first, by the logarithm of the probability that a model
    gives the book. The teacher's list ends where its best K do: a reader of whom the book is not
    among them comes after all of whom it is. The loss is the mean over the different target books
    of the batch that stand in such a list; every example has it.

    The item side of DCD: Lee & Kim, "Dual Correction Strategy for Ranking Distillation in Top-N
    Recommender System" (CIKM 2021). The paper ranks all users for an item, by scores as they are,
    and draws its lists between epochs; here the readers are those of the batch, as histories have
    no numbers, logarithms of probabilities are compared because a constant in all logits of a
    reader says nothing, and the student's ranks are those of this step. It wants large batches
    and the popular books have the longest lists.

    Args:
        under: Under-estimated readers to draw of each book, at least 1.
        over: Over-estimated readers to draw, at least 1.
        discrepancy: See `DualCorrection`.
        readers: How many of the teacher's best readers of a book count, at least 1.
        books: At most so many different target books of a batch, at least 1.
    """

    def __init__(
        self,
        num_underestimated: int = 20,
        num_overestimated: int = 20,
        discrepancy_scale: float = 0.1,
        max_users: int = 50,
        max_items: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_underestimated, num_overestimated, discrepancy_scale, **kwargs)
        if max_users < 1 or max_items < 1:
            raise ValueError(
                f"readers and books must be at least 1, not {max_users} and {max_items}"
            )
        self.max_users, self.max_items = max_users, max_items

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        exchanged = self._swap_users_and_items(batch, sample_target_items(batch, self.max_items))
        rows = super().compute_loss(exchanged)
        listed = tf.reduce_any(exchanged.labels["teacher_ids"] > 0, axis=1)
        count = tf.reduce_sum(tf.cast(listed, tf.float32))
        mean = tf.math.divide_no_nan(tf.reduce_sum(rows), count)
        return tf.fill([tf.shape(batch.history)[0]], mean)

    def _swap_users_and_items(
        self, batch: DistillationBatch, item_ids: tf.Tensor
    ) -> DistillationBatch:
        """The step in which books int32 [C] take the place of readers, and readers 1..B theirs."""
        ids, labels = batch.labels["teacher_ids"], batch.labels
        count, size = tf.shape(item_ids)[0], tf.shape(ids)[0]
        # At which place from 1 on a book stands; 0 for those that were not drawn.
        number = tf.where(item_ids > 0, tf.range(1, count + 1), 0)
        places = tf.scatter_nd(item_ids[:, tf.newaxis], number, [batch.student.num_items + 1])
        row = tf.gather(places, ids)
        column = tf.broadcast_to(tf.range(size)[:, tf.newaxis], tf.shape(ids))
        log_probability = labels["teacher_logits"] - labels["teacher_total"][:, tf.newaxis]
        known = tf.tensor_scatter_nd_update(
            tf.fill([count + 1, size], MASKED_LOGIT),
            tf.stack([row, column], axis=2),
            log_probability,
        )[1:]
        found, best = tf.math.top_k(known, tf.minimum(self.max_users, size))
        there = found > MASKED_LOGIT / 2

        total = batch.masked_logits.log_partition[:, tf.newaxis]
        own = tf.where(
            batch.student_logits > MASKED_LOGIT / 2, batch.student_logits - total, MASKED_LOGIT
        )
        own = tf.where(item_ids > 0, tf.gather(own, item_ids, axis=1), MASKED_LOGIT)
        return replace(
            batch,
            masked_logits=MaskedLogits.from_masked_logits(
                tf.pad(tf.transpose(own), [[0, 0], [1, 0]], constant_values=MASKED_LOGIT)
            ),
            labels={
                "teacher_ids": tf.where(there, best + 1, 0),
                "teacher_logits": tf.where(there, found, 0.0),
            },
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_users": self.max_users, "max_items": self.max_items}

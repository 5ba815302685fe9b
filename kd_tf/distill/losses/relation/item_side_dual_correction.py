"""Item-side dual correction: which users an item should reach before others."""

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
    """Corrects for which users of a batch the student ranks an item too low or too high.

    `DualCorrection`'s loss with users and items swapped: a list belongs to a target item and
    ranks the users of the batch, best first, by the log-probability that a model gives the item.
    The teacher's list contains the users with the item among their cached top K; all other users
    rank after them. The loss is averaged over the different target items of the batch that have
    such a list; every example has this mean.

    The item side of DCD: Lee & Kim, "Dual Correction Strategy for Ranking Distillation in Top-N
    Recommender System" (CIKM 2021). The paper ranks all users for an item, by raw scores, and
    draws its lists between epochs. Here the users are those of the batch, as histories have no
    user ids; log-probabilities are compared, because a constant in all logits of a user carries
    no information; and the student's ranks are those of the current step. Large batches help, and
    popular items have the longest lists.

    Args:
        num_underestimated: Under-estimated users to draw for each item, at least 1.
        num_overestimated: Over-estimated users to draw, at least 1.
        discrepancy_scale: See `DualCorrection`.
        max_users: The maximum number of the teacher's best users of an item, at least 1.
        max_items: The maximum number of different target items of a batch, at least 1.
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
                f"max_users and max_items must be at least 1, not {max_users} and {max_items}"
            )
        self.max_users, self.max_items = max_users, max_items

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        item_batch = self._swap_users_and_items(batch, sample_target_items(batch, self.max_items))
        item_losses = super().compute_loss(item_batch)
        has_list = tf.reduce_any(item_batch.labels["teacher_ids"] > 0, axis=1)
        num_lists = tf.reduce_sum(tf.cast(has_list, tf.float32))
        mean = tf.math.divide_no_nan(tf.reduce_sum(item_losses), num_lists)
        return tf.fill([tf.shape(batch.history)[0]], mean)

    def _swap_users_and_items(
        self, batch: DistillationBatch, item_ids: tf.Tensor
    ) -> DistillationBatch:
        """Builds a batch with items int32 [C] as its rows, which rank the users 1..B."""
        ids, labels = batch.labels["teacher_ids"], batch.labels
        num_rows, num_users = tf.shape(item_ids)[0], tf.shape(ids)[0]
        # Each item's row, counted from 1; 0 for items that were not sampled.
        row_numbers = tf.where(item_ids > 0, tf.range(1, num_rows + 1), 0)
        row_of_item = tf.scatter_nd(
            item_ids[:, tf.newaxis], row_numbers, [batch.student.num_items + 1]
        )
        rows = tf.gather(row_of_item, ids)
        columns = tf.broadcast_to(tf.range(num_users)[:, tf.newaxis], tf.shape(ids))
        log_probability = labels["teacher_logits"] - labels["teacher_total"][:, tf.newaxis]
        teacher = tf.tensor_scatter_nd_update(
            tf.fill([num_rows + 1, num_users], MASKED_LOGIT),
            tf.stack([rows, columns], axis=2),
            log_probability,
        )[1:]
        top_scores, top_users = tf.math.top_k(teacher, tf.minimum(self.max_users, num_users))
        mask = top_scores > MASKED_LOGIT / 2

        log_partition = batch.masked_logits.log_partition[:, tf.newaxis]
        student = tf.where(
            batch.student_logits > MASKED_LOGIT / 2,
            batch.student_logits - log_partition,
            MASKED_LOGIT,
        )
        student = tf.where(item_ids > 0, tf.gather(student, item_ids, axis=1), MASKED_LOGIT)
        return replace(
            batch,
            outputs=MaskedLogits.from_masked_logits(
                tf.pad(tf.transpose(student), [[0, 0], [1, 0]], constant_values=MASKED_LOGIT)
            ),
            labels={
                "teacher_ids": tf.where(mask, top_users + 1, 0),
                "teacher_logits": tf.where(mask, top_scores, 0.0),
            },
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_users": self.max_users, "max_items": self.max_items}

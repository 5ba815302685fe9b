"""The users and target items of a batch, in the student's and in the teacher's space."""

from __future__ import annotations

from dataclasses import dataclass

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.embeddings import (
    compute_student_user_embeddings,
    get_teacher_user_embeddings,
)


@dataclass(frozen=True)
class BatchEntities:
    """Embeddings of the users of a batch, followed by those of its target items.

    Attributes:
        student: float32 [N, d], the student's embeddings.
        teacher: float32 [N, d'], the teacher's embeddings.
        mask: float32 [N], 0 for the padding after the items, otherwise 1.
        num_users: int32 [], B: the first `num_users` entities are the users.
    """

    student: tf.Tensor
    teacher: tf.Tensor
    mask: tf.Tensor
    num_users: tf.Tensor


def collect_entities(
    batch: DistillationBatch, teacher_item_embeddings: tf.Tensor, max_items: int
) -> BatchEntities:
    """Collects the embeddings of a batch's users and target items.

    Args:
        batch: The batch, with the label ``teacher_user_embeddings``.
        teacher_item_embeddings: float32 [V + 1, d'].
        max_items: The maximum number of different target items, see `sample_target_items`.
    """
    users, ids = compute_student_user_embeddings(batch), sample_target_items(batch, max_items)
    num_users = tf.shape(users)[0]
    return BatchEntities(
        student=tf.concat([users, tf.gather(batch.student.item_embeddings(), ids)], axis=0),
        teacher=tf.concat(
            [get_teacher_user_embeddings(batch), tf.gather(teacher_item_embeddings, ids)], axis=0
        ),
        mask=tf.concat([tf.ones([num_users]), tf.cast(ids > 0, tf.float32)], axis=0),
        num_users=num_users,
    )


def sample_target_items(batch: DistillationBatch, max_items: int) -> tf.Tensor:
    """Returns the distinct target items of a batch: int32 [n], n <= max_items, padded with 0.

    If there are more than `max_items`, a uniform sample is drawn in training. Outside training
    the selection is always the same.

    Args:
        batch: The batch, with the label ``targets``.
        max_items: The maximum number of items.
    """
    num_items = batch.student.num_items
    ids = tf.reshape(batch.student.mask_unknown_ids(batch.labels["targets"]), [-1, 1])
    is_target = tf.tensor_scatter_nd_update(
        tf.zeros([num_items + 1]), ids, tf.cast(ids[:, 0] > 0, tf.float32)
    )
    noise = rng.sample_uniform([num_items + 1]) if batch.training else 0.0
    keys, sampled_ids = tf.math.top_k(is_target * (1.0 + noise), min(max_items, num_items))
    return tf.where(keys > 0, sampled_ids, 0)


def to_example_losses(entity_losses: tf.Tensor, num_users: tf.Tensor) -> tf.Tensor:
    """Scatters per-entity losses to per-example losses: float32 [B], of mean ``sum(losses)``.

    A user's loss belongs to the user's example, the losses of items to all examples alike.

    Args:
        entity_losses: float32 [N], users first.
        num_users: int32 [], B.
    """
    user_losses = tf.cast(num_users, tf.float32) * entity_losses[:num_users]
    return user_losses + tf.reduce_sum(entity_losses[num_users:])

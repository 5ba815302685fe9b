"""The readers and books of a batch, in the student's space and in the teacher's."""

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
    """What stands in a batch: its readers first, then books.

    Attributes:
        student: float32 [N, d], their vectors.
        teacher: float32 [N, d'], those of the teacher.
        there: float32 [N], 0 for the padding behind the books.
        readers: int32 [], how many of them are readers.
    """

    student: tf.Tensor
    teacher: tf.Tensor
    mask: tf.Tensor
    num_users: tf.Tensor


def collect_entities(
    batch: DistillationBatch, teacher_item_embeddings: tf.Tensor, max_items: int
) -> BatchEntities:
    """Readers and target books of a batch.

    Args:
        step: The batch, with the label ``teacher_reader``.
        teacher_books: float32 [V + 1, d'].
        most: See `drawn_books`.
    """
    users, ids = compute_student_user_embeddings(batch), sample_target_items(batch, max_items)
    count = tf.shape(users)[0]
    return BatchEntities(
        student=tf.concat([users, tf.gather(batch.student.item_embeddings(), ids)], axis=0),
        teacher=tf.concat(
            [get_teacher_user_embeddings(batch), tf.gather(teacher_item_embeddings, ids)], axis=0
        ),
        mask=tf.concat([tf.ones([count]), tf.cast(ids > 0, tf.float32)], axis=0),
        num_users=count,
    )


def sample_target_items(batch: DistillationBatch, max_items: int) -> tf.Tensor:
    """The target books of a batch, each once: int32 [n], n at most `most`, padded with 0.

    Of more than `most` some are drawn at random, all alike; outside training always the same.
    """
    items = batch.student.num_items
    ids = tf.reshape(batch.student.mask_unknown_ids(batch.labels["targets"]), [-1, 1])
    present = tf.tensor_scatter_nd_update(
        tf.zeros([items + 1]), ids, tf.cast(ids[:, 0] > 0, tf.float32)
    )
    noise = rng.sample_uniform([items + 1]) if batch.training else 0.0
    keys, drawn = tf.math.top_k(present * (1.0 + noise), min(max_items, items))
    return tf.where(keys > 0, drawn, 0)


def to_example_losses(entity_losses: tf.Tensor, num_users: tf.Tensor) -> tf.Tensor:
    """Turns one number an entity into one an example: float32 [B], of mean ``sum(rows)``.

    A reader's own number belongs to the reader's example, those of books to all alike.

    Args:
        rows: float32 [N], readers first.
        readers: int32 [], B.
    """
    own = tf.cast(num_users, tf.float32) * entity_losses[:num_users]
    return own + tf.reduce_sum(entity_losses[num_users:])

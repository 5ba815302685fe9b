"""The readers and books of a batch, in the student's space and in the teacher's."""

from __future__ import annotations

from dataclasses import dataclass

from kd_tf.distill.knowledge.base import Step
from kd_tf.distill.knowledge.vectors import student_readers, teacher_readers
from kd_tf.keras import tf
from kd_tf.models import randomness


@dataclass(frozen=True)
class Entities:
    """What stands in a batch: its readers first, then books.

    Attributes:
        student: float32 [N, d], their vectors.
        teacher: float32 [N, d'], those of the teacher.
        there: float32 [N], 0 for the padding behind the books.
        readers: int32 [], how many of them are readers.
    """

    student: tf.Tensor
    teacher: tf.Tensor
    there: tf.Tensor
    readers: tf.Tensor


def entities_of(step: Step, teacher_books: tf.Tensor, most: int) -> Entities:
    """Readers and target books of a batch.

    Args:
        step: The batch, with the label ``teacher_reader``.
        teacher_books: float32 [V + 1, d'].
        most: See `drawn_books`.
    """
    readers, ids = student_readers(step), drawn_books(step, most)
    count = tf.shape(readers)[0]
    return Entities(
        student=tf.concat([readers, tf.gather(step.student.book_vectors(), ids)], axis=0),
        teacher=tf.concat([teacher_readers(step), tf.gather(teacher_books, ids)], axis=0),
        there=tf.concat([tf.ones([count]), tf.cast(ids > 0, tf.float32)], axis=0),
        readers=count,
    )


def drawn_books(step: Step, most: int) -> tf.Tensor:
    """The target books of a batch, each once: int32 [n], n at most `most`, padded with 0.

    Of more than `most` some are drawn at random, all alike; outside training always the same.
    """
    books = step.student.books
    ids = tf.reshape(step.student.known(step.labels["targets"]), [-1, 1])
    present = tf.tensor_scatter_nd_update(
        tf.zeros([books + 1]), ids, tf.cast(ids[:, 0] > 0, tf.float32)
    )
    noise = randomness.uniform([books + 1]) if step.training else 0.0
    keys, drawn = tf.math.top_k(present * (1.0 + noise), min(most, books))
    return tf.where(keys > 0, drawn, 0)


def shares(rows: tf.Tensor, readers: tf.Tensor) -> tf.Tensor:
    """Turns one number an entity into one an example: float32 [B], of mean ``sum(rows)``.

    A reader's own number belongs to the reader's example, those of books to all alike.

    Args:
        rows: float32 [N], readers first.
        readers: int32 [], B.
    """
    own = tf.cast(readers, tf.float32) * rows[:readers]
    return own + tf.reduce_sum(rows[readers:])

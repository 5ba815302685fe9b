"""The vectors of readers and books that methods compare, and who has none."""

from __future__ import annotations

from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.models.base import HistoryModel

MIN_SQUARED_NORM = 1e-8
"""Squared length below which a vector has no direction: a reader of no book is often zero."""


def get_user_embedding_dim(model: HistoryModel, method: str) -> int:
    """How many numbers a reader's vector has.

    Args:
        model: Its weights exist.
        method: Who asks, for the message.

    Raises:
        ValueError: The model has no vector of a reader, or several.
    """
    nobody = tf.zeros([1, model.max_length], tf.int32)
    try:
        vectors = model.user_embeddings(nobody)
    except ValueError as error:
        raise ValueError(f"{method} needs vectors of readers: {error}") from error
    if vectors.shape.rank != 2:
        raise ValueError(
            f"{method} needs one vector of a reader: a {type(model).__name__} has several, "
            f"{vectors.shape[1:]}"
        )
    return int(vectors.shape[1])


def get_item_embeddings(model: HistoryModel, method: str) -> tf.Tensor:
    """The vectors of all books as a constant: float32 [V + 1, d].

    Args:
        model: Its weights exist.
        method: Who asks, for the message.

    Raises:
        ValueError: The model has no vectors of books.
    """
    try:
        table = model.item_embeddings()
    except ValueError as error:
        raise ValueError(f"{method} needs vectors of books: {error}") from error
    return tf.constant(table.numpy(), tf.float32)


def get_item_embeddings_in_user_space(model: HistoryModel, method: str) -> tf.Tensor:
    """The model's vectors of books, [V + 1, d], which lie in one space with those of readers.

    Raises:
        ValueError: They do not, or there are none.
    """
    table, width = get_item_embeddings(model, method), get_user_embedding_dim(model, method)
    if table.shape[1] != width:
        raise ValueError(
            f"{method} needs readers and books in one space, not of {width} and {table.shape[1]} "
            f"dimensions as in a {type(model).__name__}"
        )
    return table


def get_teacher_user_embeddings(batch: DistillationBatch) -> tf.Tensor:
    """The teacher's vectors of the batch's readers, cached in half precision: float32 [B, d]."""
    return tf.stop_gradient(tf.cast(batch.labels["teacher_reader"], tf.float32))


def compute_student_user_embeddings(batch: DistillationBatch) -> tf.Tensor:
    """The student's vectors of the batch's readers: float32 [B, d]."""
    # In single precision whatever the student computes in: distances and squares need it.
    return tf.cast(
        batch.student.user_embeddings(batch.history, training=batch.training), tf.float32
    )


def normalize_to_unit_length(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors [..., d] at length 1; one without a direction becomes 0 and gets no gradient."""
    square = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    long = square > MIN_SQUARED_NORM
    # Both `where` are needed: the slope of 1 / length near 0 would drown the batch.
    return tf.where(long, vectors * tf.math.rsqrt(tf.where(long, square, 1.0)), 0.0)

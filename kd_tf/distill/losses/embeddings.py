"""Functions that read user and item embeddings, or report that a model has none."""

from __future__ import annotations

from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.models.base import HistoryModel

MIN_SQUARED_NORM = 1e-8
"""A vector with a smaller squared length has no direction; users without items are often zero."""


def get_user_embedding_dim(model: HistoryModel, method: str) -> int:
    """Returns the dimension of the model's user embeddings.

    Args:
        model: A model whose weights exist.
        method: Name of the distillation method, for the error message.

    Raises:
        ValueError: The model has no user embedding, or several per user.
    """
    empty_history = tf.zeros([1, model.max_length], tf.int32)
    try:
        embeddings = model.user_embeddings(empty_history)
    except ValueError as error:
        raise ValueError(f"{method} needs user embeddings: {error}") from error
    if embeddings.shape.rank != 2:
        raise ValueError(
            f"{method} needs one embedding per user: a {type(model).__name__} has several, "
            f"{embeddings.shape[1:]}"
        )
    return int(embeddings.shape[1])


def get_item_embeddings(model: HistoryModel, method: str) -> tf.Tensor:
    """Returns a constant copy of the model's item embeddings: float32 [V + 1, d].

    Args:
        model: A model whose weights exist.
        method: Name of the distillation method, for the error message.

    Raises:
        ValueError: The model has no item embeddings.
    """
    try:
        embeddings = model.item_embeddings()
    except ValueError as error:
        raise ValueError(f"{method} needs item embeddings: {error}") from error
    return tf.constant(embeddings.numpy(), tf.float32)


def get_item_embeddings_in_user_space(model: HistoryModel, method: str) -> tf.Tensor:
    """Returns the item embeddings, float32 [V + 1, d], of a model that has users in this space.

    Args:
        model: A model whose weights exist.
        method: Name of the distillation method, for the error message.

    Raises:
        ValueError: The model lacks user or item embeddings, or their dimensions differ.
    """
    embeddings = get_item_embeddings(model, method)
    user_dim = get_user_embedding_dim(model, method)
    if embeddings.shape[1] != user_dim:
        raise ValueError(
            f"{method} needs user and item embeddings of the same dimension, not {user_dim} and "
            f"{embeddings.shape[1]} as in a {type(model).__name__}"
        )
    return embeddings


def get_teacher_user_embeddings(batch: DistillationBatch) -> tf.Tensor:
    """Returns the teacher's user embeddings, cached in half precision, as float32 [B, d]."""
    return tf.stop_gradient(tf.cast(batch.labels["teacher_user_embeddings"], tf.float32))


def compute_student_user_embeddings(batch: DistillationBatch) -> tf.Tensor:
    """Computes the student's user embeddings: float32 [B, d]."""
    # Single precision whatever the student computes in, because distances and squares need it.
    return tf.cast(
        batch.student.user_embeddings(batch.history, training=batch.training), tf.float32
    )


def normalize_to_unit_length(vectors: tf.Tensor) -> tf.Tensor:
    """Normalizes vectors [..., d] to length 1; one without a direction becomes 0, without gradient.

    Args:
        vectors: float32 [..., d].
    """
    squared_norm = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    has_direction = squared_norm > MIN_SQUARED_NORM
    # Both `where` are needed: near 0 the gradient of 1 / length would dominate the batch.
    return tf.where(
        has_direction, vectors * tf.math.rsqrt(tf.where(has_direction, squared_norm, 1.0)), 0.0
    )

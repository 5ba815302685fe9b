"""Attention transfer: how much each item of a history contributes to the user embedding."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.embeddings import (
    compute_student_user_embeddings,
    get_item_embeddings_in_user_space,
    get_teacher_user_embeddings,
)


@keras.saving.register_keras_serializable(package="kd_tf")
class AttentionTransfer(DistillationLoss):
    """Matches the teacher's attention over the items of a history.

    ``sum over the items h of the history of (a_s(h) - a_t(h))^2`` with a model's attention
    ``a(h) = <v_h, u>^2 / sum over g of <v_g, u>^2``: v_h is the item embedding, u the user
    embedding. For a user without items the loss is 0.

    Zagoruyko & Komodakis, "Paying More Attention to Attention: Improving the Performance of
    Convolutional Neural Networks via Attention Transfer" (ICLR 2017). Their attention map is the
    sum of a network's squared activations at every position of an image. The positions of a
    recommender are the items of a history, and its activation at an item is the item's dot
    product with the user embedding. This is defined in the same way for every model with
    embeddings, whether it pools, recurs or attends, while attention weights are comparable only
    between models that attend. Their maps are normalized to length 1, these to sum 1: a
    distribution over the items.
    """

    teacher_outputs = ("teacher_user_embeddings",)

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings_in_user_space(setup.student, "AttentionTransfer")
        self.teacher_item_embeddings = get_item_embeddings_in_user_space(
            setup.teacher, "AttentionTransfer"
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        ids = _deduplicate_history(batch)
        student_attention = compute_attention(
            ids, batch.student.item_embeddings(), compute_student_user_embeddings(batch)
        )
        teacher_attention = compute_attention(
            ids, self.teacher_item_embeddings, get_teacher_user_embeddings(batch)
        )
        return tf.reduce_sum(tf.square(student_attention - teacher_attention), axis=1)


def compute_attention(
    ids: tf.Tensor, item_embeddings: tf.Tensor, user_embeddings: tf.Tensor
) -> tf.Tensor:
    """Computes the attention of users over items: float32 [B, n], 0 for padding.

    Args:
        ids: int32 [B, n], the items of each user, padded with 0.
        item_embeddings: float32 [V + 1, d].
        user_embeddings: float32 [B, d].

    Example:
        >>> items = tf.constant([[0.0], [1.0], [-3.0]])
        >>> compute_attention(tf.constant([[1, 2, 0]]), items, tf.ones([1, 1])).numpy().round(2)
        array([[0.1, 0.9, 0. ]], dtype=float32)
    """
    mask = tf.cast(ids > 0, tf.float32)
    inner = mask * tf.linalg.matvec(tf.gather(item_embeddings, ids), user_embeddings)
    # The scale cancels in the ratio, but squares of small numbers would underflow.
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(inner), axis=1, keepdims=True))
    square = tf.square(tf.math.divide_no_nan(inner, largest))
    return tf.math.divide_no_nan(square, tf.reduce_sum(square, axis=1, keepdims=True))


def _deduplicate_history(batch: DistillationBatch) -> tf.Tensor:
    """Returns the distinct items of the batch's histories: int32 [B, n], interspersed with 0."""
    # The seen items and not the history itself, which may be a user id.
    ids = tf.sort(batch.student.seen_items(batch.history), axis=1)
    is_repeated = tf.pad(ids[:, 1:] == ids[:, :-1], [[0, 0], [1, 0]])
    return tf.where(is_repeated, 0, ids)

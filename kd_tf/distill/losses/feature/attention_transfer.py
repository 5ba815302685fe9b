"""Attention transfer: which books of a history the teacher's picture of a reader rests on."""

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
    """The teacher's attention over the books of a history.

    ``sum over the books h of the history of (a_s(h) - a_t(h))^2`` with a model's attention
    ``a(h) = <v_h, u>^2 / sum over g of <v_g, u>^2``: v_h is its vector of the book, u that of the
    reader. For a reader without books it is 0.

    Zagoruyko & Komodakis, "Paying More Attention to Attention: Improving the Performance of
    Convolutional Neural Networks via Attention Transfer" (ICLR 2017). Their map of where a
    network looks is the sum of its squared activations at every place of a picture; the places
    of a recommender are the books of a history, and its activation at a book is what the book
    says along the reader's vector. It is defined alike for every model with vectors, whether it
    pools, recurs or attends, where weights of attention are comparable only between models that
    attend. Their maps have length 1, these sum to 1: a distribution over the books.
    """

    teacher_outputs = ("teacher_reader",)

    def build(self, setup: DistillationSetup) -> None:
        get_item_embeddings_in_user_space(setup.student, "AttentionTransfer")
        self.teacher_item_embeddings = get_item_embeddings_in_user_space(
            setup.teacher, "AttentionTransfer"
        )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        ids = _deduplicate_history(batch)
        own = compute_attention(
            ids, batch.student.item_embeddings(), compute_student_user_embeddings(batch)
        )
        wanted = compute_attention(
            ids, self.teacher_item_embeddings, get_teacher_user_embeddings(batch)
        )
        return tf.reduce_sum(tf.square(own - wanted), axis=1)


def compute_attention(
    ids: tf.Tensor, item_embeddings: tf.Tensor, user_embeddings: tf.Tensor
) -> tf.Tensor:
    """Of readers float32 [B, d] to books int32 [B, n]: float32 [B, n], 0 for padding."""
    there = tf.cast(ids > 0, tf.float32)
    inner = there * tf.linalg.matvec(tf.gather(item_embeddings, ids), user_embeddings)
    # The scale does not matter to the quotient, but squares of small numbers would vanish.
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(inner), axis=1, keepdims=True))
    square = tf.square(tf.math.divide_no_nan(inner, largest))
    return tf.math.divide_no_nan(square, tf.reduce_sum(square, axis=1, keepdims=True))


def _deduplicate_history(batch: DistillationBatch) -> tf.Tensor:
    """int32 [B, n]: the books of the batch's histories, each once, among zeros."""
    # What is excluded and not the history itself, which may be the number of a reader.
    ids = tf.sort(batch.student.seen_items(batch.history), axis=1)
    again = tf.pad(ids[:, 1:] == ids[:, :-1], [[0, 0], [1, 0]])
    return tf.where(again, 0, ids)

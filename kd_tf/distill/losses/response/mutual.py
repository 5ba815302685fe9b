"""Mutual learning: teacher and student learn together, each from what the other says."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import mask_history
from kd_tf.models.base import HistoryModel


@keras.saving.register_keras_serializable(package="kd_tf")
class MutualLearning(DistillationLoss):
    """A copy of the teacher that goes on learning, in part from the student.

    ``KL(p || s) + hard loss of the copy + weight * KL(s || p)`` over the whole catalogue, with the
    student's distribution s and the copy's p. In the first divergence p is a constant and the
    student learns, in the last s is one and the copy learns, as it does from the readers' own
    books. The teacher that was given never changes.

    Zhang, Xiang, Hospedales & Lu, "Deep Mutual Learning" (CVPR 2018); between a large and a small
    recommender Kweon, Kang & Yu, "Bidirectional Distillation for Top-K Recommender System" (WWW
    2021), who draw some books for either side by how far their ranks differ, where here all books
    count. Both begin with two new models; here the copy begins with what the teacher knows. The
    student is told what the copy says without dropout, as everybody else would be.

    Args:
        weight: Of what the copy learns from the student, 0 or more.
        alternating: 0 lets both learn in every step; n gives n steps to the student, the next n
            to the copy, and so on, by the training's own count of steps. In the copy's steps the
            student still has its hard loss. An optimizer with momentum lets the one that rests
            coast.
    """

    def __init__(self, peer_weight: float = 1.0, alternate_every: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not peer_weight >= 0:
            raise ValueError(f"weight must be 0 or more, not {peer_weight}")
        if alternate_every < 0 or alternate_every != int(alternate_every):
            raise ValueError(f"alternating must be 0 or a number of steps, not {alternate_every}")
        self.peer_weight, self.alternate_every = peer_weight, int(alternate_every)

    def build(self, setup: DistillationSetup) -> None:
        teacher, kind = setup.teacher, type(setup.teacher).__name__
        if teacher.max_length < setup.student.max_length:
            raise ValueError(
                f"Mutual needs a teacher that reads whole histories: this {kind} sees "
                f"{teacher.max_length} books, the student {setup.student.max_length}"
            )
        peer: HistoryModel = type(teacher).from_config(teacher.get_config())
        peer.create_weights()
        if not peer.trainable_variables:
            raise ValueError(f"Mutual needs a teacher that can learn: a {kind} has no such weights")
        peer.set_weights(teacher.get_weights())
        self.peer, self.num_steps = peer, max(setup.num_steps, 1)

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        if not self.alternate_every or not batch.training:
            return self._compute_student_loss(batch) + self._compute_peer_loss(batch)
        done = tf.cast(tf.round(batch.progress * self.num_steps), tf.int32)
        return tf.cond(
            done // self.alternate_every % 2 == 0,
            lambda: self._compute_student_loss(batch),
            lambda: self._compute_peer_loss(batch),
        )

    def _compute_student_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """float32 [B]: what the student has to learn from the copy."""
        told = tf.cast(self.peer(batch.history, training=False), tf.float32)
        told = mask_history(told, _get_seen_items(batch))
        return _compute_kl_divergence(tf.stop_gradient(told), batch.student_logits)

    def _compute_peer_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """float32 [B]: what the copy has to learn, from readers and from the student."""
        logits = self.peer(batch.history, training=batch.training)
        scored = MaskedLogits.from_logits(logits, _get_seen_items(batch))
        hard = self.peer.supervised_loss(batch.history, batch.labels["targets"], scored)
        return hard + self.peer_weight * _compute_kl_divergence(
            tf.stop_gradient(batch.student_logits), scored.unseen_logits
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "peer_weight": self.peer_weight,
            "alternate_every": self.alternate_every,
        }


def _get_seen_items(batch: DistillationBatch) -> tf.Tensor:
    """What the student has masked: a book masked for one alone would be infinitely far off."""
    return batch.student.seen_items(batch.history)


def _compute_kl_divergence(target_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """KL(wanted || found) of masked logits [B, V + 1]: float32 [B]."""
    log_wanted, log_found = tf.nn.log_softmax(target_logits), tf.nn.log_softmax(logits)
    return tf.reduce_sum(tf.exp(log_wanted) * (log_wanted - log_found), axis=1)

"""Mutual learning: student and a copy of the teacher learn from each other."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import mask_history
from kd_tf.models.trainable import TrainableModel


@keras.saving.register_keras_serializable(package="kd_tf")
class MutualLearning(DistillationLoss):
    """Trains a copy of the teacher, the peer, together with the student; each matches the other.

    ``KL(p || s) + student loss of the peer + peer_weight * KL(s || p)`` over the whole catalog,
    with the student's distribution s and the peer's p. In the first divergence p is a constant
    and trains the student; in the second s is a constant and trains the peer, which is also
    trained on the ground-truth items. The original teacher never changes.

    Zhang, Xiang, Hospedales & Lu, "Deep Mutual Learning" (CVPR 2018); between a large and a small
    recommender Kweon, Kang & Yu, "Bidirectional Distillation for Top-K Recommender System" (WWW
    2021), who sample items for either side by how far their ranks differ, while here all items
    count. Both start with two untrained models; here the peer starts with the teacher's weights.
    The student matches the peer's outputs without dropout.

    Args:
        peer_weight: Weight of the divergence that trains the peer, 0 or more.
        alternate_every: 0 trains both in every step; n trains the student for n steps, the peer
            for the next n, and so on, counted in training steps. In the peer's steps the student
            still has its student loss. With a momentum optimizer, the idle model still moves.
    """

    def __init__(self, peer_weight: float = 1.0, alternate_every: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not peer_weight >= 0:
            raise ValueError(f"peer_weight must be 0 or more, not {peer_weight}")
        if alternate_every < 0 or alternate_every != int(alternate_every):
            raise ValueError(
                f"alternate_every must be 0 or a number of steps, not {alternate_every}"
            )
        self.peer_weight, self.alternate_every = peer_weight, int(alternate_every)

    def build(self, setup: DistillationSetup) -> None:
        self.check_pair(setup)
        teacher, architecture = setup.teacher, type(setup.teacher).__name__
        peer: TrainableModel = type(teacher).from_config(teacher.get_config())
        peer.create_weights()
        if not peer.trainable_variables:
            raise ValueError(
                f"MutualLearning needs a trainable teacher: a {architecture} has no trainable "
                "weights"
            )
        peer.set_weights(teacher.get_weights())
        self.peer, self.num_steps = peer, max(setup.num_steps, 1)

    def check_pair(self, setup: DistillationSetup) -> None:
        """Raises ValueError if the teacher cannot read what the student reads."""
        if setup.teacher.max_length < setup.student.max_length:
            raise ValueError(
                "MutualLearning needs a teacher that reads whole histories: this "
                f"{type(setup.teacher).__name__} reads {setup.teacher.max_length} items, the "
                f"student {setup.student.max_length}"
            )

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        if not self.alternate_every or not batch.training:
            return self.compute_student_loss(batch) + self.compute_peer_loss(batch)
        step = tf.cast(tf.round(batch.progress * self.num_steps), tf.int32)
        return tf.cond(
            step // self.alternate_every % 2 == 0,
            lambda: self.compute_student_loss(batch),
            lambda: self.compute_peer_loss(batch),
        )

    def compute_student_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes the divergence of the student from the peer: float32 [B]."""
        peer_logits = tf.cast(self.peer(batch.history, training=False), tf.float32)
        peer_logits = mask_history(peer_logits, _get_seen_items(batch))
        return _compute_kl_divergence(tf.stop_gradient(peer_logits), batch.student_logits)

    def compute_peer_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes the peer's loss on ground-truth items and against the student: float32 [B]."""
        logits = self.peer(batch.history, training=batch.training)
        peer_logits = MaskedLogits.from_logits(logits, _get_seen_items(batch))
        loss = self.peer.supervised_loss(batch.history, batch.labels["targets"], peer_logits)
        return loss + self.peer_weight * _compute_kl_divergence(
            tf.stop_gradient(batch.student_logits), peer_logits.unseen_logits
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "peer_weight": self.peer_weight,
            "alternate_every": self.alternate_every,
        }


def _get_seen_items(batch: DistillationBatch) -> tf.Tensor:
    """Returns the items to mask in both models: int32 [B, n].

    Masking an item in only one of them would make the divergence infinite.
    """
    return batch.student.seen_items(batch.history)


def _compute_kl_divergence(target_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Computes KL(target || other) of masked logits [B, V + 1]: float32 [B]."""
    log_target, log_other = tf.nn.log_softmax(target_logits), tf.nn.log_softmax(logits)
    return tf.reduce_sum(tf.exp(log_target) * (log_target - log_other), axis=1)

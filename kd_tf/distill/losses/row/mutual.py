"""Deep mutual learning of models of the ranking task."""

from __future__ import annotations

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup
from kd_tf.distill.losses.response.mutual import MutualLearning
from kd_tf.distill.losses.row.soft_targets import compute_bernoulli_divergence
from kd_tf.models.ranking.base import RankingModel


@keras.saving.register_keras_serializable(package="kd_tf")
class RowMutualLearning(MutualLearning):
    """Trains the teacher on while it teaches: student and peer learn from each other.

    The peer starts as a copy of the first teacher; see `MutualLearning`.
    """

    student_classes = (RankingModel,)

    def check_pair(self, setup: DistillationSetup) -> None:
        """Accepts any teacher of the same features that is trained by gradient descent."""
        if setup.teachers[0].layout != setup.student.layout:
            raise ValueError("mutual learning needs a student with all features of the teacher")
        if not setup.teachers[0].trainable_variables:
            raise ValueError(
                "mutual learning needs a teacher that goes on learning, and a sampled one cannot"
            )

    def compute_student_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes the divergence of the student from the peer: float32 [B]."""
        peer_logits = tf.stop_gradient(self.peer(batch.inputs, training=False))
        return compute_bernoulli_divergence(tf.cast(peer_logits, tf.float32), batch.student_logits)

    def compute_peer_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes the peer's loss on the labels and against the student: float32 [B]."""
        logits = self.peer(batch.inputs, training=batch.training)
        outputs = self.peer.to_outputs(batch.inputs, logits)
        loss = self.peer.supervised_loss(batch.inputs, batch.labels["targets"], outputs)
        return loss + self.peer_weight * compute_bernoulli_divergence(
            tf.stop_gradient(batch.student_logits), outputs
        )

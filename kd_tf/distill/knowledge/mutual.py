"""Mutual learning: teacher and student learn together, each from what the other says."""

from __future__ import annotations

from typing import Any

from kd_tf.distill.knowledge.base import Knowledge, Lesson, Step
from kd_tf.keras import keras, tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.losses import mask_history
from kd_tf.models.scored import Scored


@keras.saving.register_keras_serializable(package="kd_tf")
class Mutual(Knowledge):
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

    def __init__(self, weight: float = 1.0, alternating: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not weight >= 0:
            raise ValueError(f"weight must be 0 or more, not {weight}")
        if alternating < 0 or alternating != int(alternating):
            raise ValueError(f"alternating must be 0 or a number of steps, not {alternating}")
        self.weight, self.alternating = weight, int(alternating)

    def prepare(self, lesson: Lesson) -> None:
        teacher, kind = lesson.teacher, type(lesson.teacher).__name__
        if teacher.history_length < lesson.student.history_length:
            raise ValueError(
                f"Mutual needs a teacher that reads whole histories: this {kind} sees "
                f"{teacher.history_length} books, the student {lesson.student.history_length}"
            )
        peer: HistoryModel = type(teacher).from_config(teacher.get_config())
        peer.create_weights()
        if not peer.trainable_variables:
            raise ValueError(f"Mutual needs a teacher that can learn: a {kind} has no such weights")
        peer.set_weights(teacher.get_weights())
        self.peer, self.steps = peer, max(lesson.steps, 1)

    def loss(self, step: Step) -> tf.Tensor:
        if not self.alternating or not step.training:
            return self._students(step) + self._peers(step)
        done = tf.cast(tf.round(step.progress * self.steps), tf.int32)
        return tf.cond(
            done // self.alternating % 2 == 0,
            lambda: self._students(step),
            lambda: self._peers(step),
        )

    def _students(self, step: Step) -> tf.Tensor:
        """float32 [B]: what the student has to learn from the copy."""
        told = tf.cast(self.peer(step.history, training=False), tf.float32)
        told = mask_history(told, _excluded(step))
        return _divergence(tf.stop_gradient(told), step.logits)

    def _peers(self, step: Step) -> tf.Tensor:
        """float32 [B]: what the copy has to learn, from readers and from the student."""
        logits = self.peer(step.history, training=step.training)
        scored = Scored.of(logits, _excluded(step))
        hard = self.peer.hard_loss(step.history, step.labels["targets"], scored)
        return hard + self.weight * _divergence(tf.stop_gradient(step.logits), scored.masked)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight, "alternating": self.alternating}


def _excluded(step: Step) -> tf.Tensor:
    """What the student has masked: a book masked for one alone would be infinitely far off."""
    return step.student.excluded(step.history)


def _divergence(wanted: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """KL(wanted || found) of masked logits [B, V + 1]: float32 [B]."""
    log_wanted, log_found = tf.nn.log_softmax(wanted), tf.nn.log_softmax(found)
    return tf.reduce_sum(tf.exp(log_wanted) * (log_wanted - log_found), axis=1)

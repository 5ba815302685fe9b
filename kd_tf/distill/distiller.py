"""The Distiller: one training loop for every student and every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kd_tf.distill.balance.base import Balance
from kd_tf.distill.balance.fixed import Fixed
from kd_tf.distill.knowledge.base import Knowledge, Lesson, Step
from kd_tf.distill.watching import watching
from kd_tf.keras import keras, tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.scored import Scored


@keras.saving.register_keras_serializable(package="kd_tf")
class Distiller(keras.Model):
    """Trains a student on readers' books and on what a teacher knows, in one loss.

    The hard loss is the student's own on the books that readers really chose; every method adds a
    soft one; a `Balance` weighs them. The teacher does not run here: its answers come with the
    batches (see `kd_tf.distill.teacher_targets`). Without knowledge it trains the student alone,
    in exactly the same way, which is what a distilled student is compared with.

    Args:
        student: Any `HistoryModel`.
        knowledge: The methods.
        balance: `Fixed` with alpha 1 by default: the readers' books alone.

    Example:
        >>> distiller = Distiller(student, [SoftTargets(2.0)], Fixed(alpha=0.3))
        >>> distiller.prepare(lesson)  # doctest: +SKIP
        >>> distiller.compile(optimizer=keras.optimizers.Adam())  # doctest: +SKIP
        >>> distiller.fit(batches)  # doctest: +SKIP
    """

    def __init__(
        self,
        student: HistoryModel,
        knowledge: Sequence[Knowledge] = (),
        balance: Balance | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.student = student
        self.knowledge = list(knowledge)
        self.balance = balance or Fixed()
        self._steps = 1
        self._means = {
            name: keras.metrics.Mean(name=name) for name in ("loss", "hard_loss", "soft_loss")
        }

    def prepare(self, lesson: Lesson) -> None:
        """Lets every method look at student and teacher, and checks that they fit.

        Raises:
            ValueError: Student and teacher are of different catalogues, or a method cannot work
                between them.
        """
        for teacher in lesson.teachers:
            if teacher.books != self.student.books:
                raise ValueError(
                    f"the student knows {self.student.books} books, the teacher {teacher.books}: "
                    "they belong to different catalogues"
                )
        self._steps = max(lesson.steps, 1)
        for known in self.knowledge:
            known.prepare(lesson)
        self.balance.prepare(replace(lesson, methods=len(self.knowledge)))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The student's logits: float32 [B, V + 1]."""
        return self.student(inputs, training=training)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights of a saved Distiller, which are the student's."""
        self.student.create_weights()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._means.values())

    @property
    def learning_variables(self) -> list[tf.Variable]:
        """What a step changes: the student's weights, and those that methods have of their own."""
        return [
            *self.student.trainable_variables,
            *(weight for known in self.knowledge for weight in known.trainable_variables),
            *self.balance.trainable_variables,
        ]

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """One step on (history int32 [B, L], labels as `Step` describes them)."""
        history, labels = data
        with tf.GradientTape() as tape:
            losses = self._weighted(history, labels, training=True)
        self.optimizer.minimize(losses["loss"], self.learning_variables, tape=tape)
        return self._report(losses)

    def test_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """The same losses without learning and without dropout."""
        history, labels = data
        return self._report(self._weighted(history, labels, training=False))

    def _weighted(
        self, history: tf.Tensor, labels: dict[str, tf.Tensor], training: bool
    ) -> dict[str, tf.Tensor]:
        names = list(dict.fromkeys(name for known in self.knowledge for name in known.watched))
        # Through `call` and not the student itself: it marks the Distiller as built for saving.
        with watching(self.student, names) as hidden:
            logits = self(history, training=training)
        scored = Scored.of(logits, self.student.excluded(history))
        hard = self.student.hard_loss(history, labels["targets"], scored)
        done = self.optimizer.iterations if training else 0
        step = Step(
            history=history,
            scored=scored,
            labels=labels,
            student=self.student,
            hidden=hidden,
            training=training,
            progress=tf.minimum(tf.cast(done, tf.float32) / self._steps, 1.0),
        )
        soft = [known.loss(step) for known in self.knowledge]
        means = [tf.reduce_mean(loss) for loss in soft]
        return {
            "loss": tf.reduce_mean(self.balance.combine(hard, soft, step)),
            "hard_loss": tf.reduce_mean(hard),
            "soft_loss": tf.add_n(means or [tf.zeros([])]),
        }

    def _report(self, losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in losses.items():
            self._means[name].update_state(value)
        return {name: mean.result() for name, mean in self._means.items()}

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "student": serialize(self.student),
            "knowledge": [serialize(known) for known in self.knowledge],
            "balance": serialize(self.balance),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Distiller:
        """The Distiller that `get_config` described, with new weights."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            deserialize(config["student"]),
            [deserialize(known) for known in config["knowledge"]],
            deserialize(config["balance"]),
            name=config["name"],
        )

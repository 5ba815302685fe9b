"""The Distiller: one training loop for every student and every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.layer_outputs import capture_layer_outputs
from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.weighting.base import LossWeighting
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel


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
        distillation_losses: Sequence[DistillationLoss] = (),
        weighting: LossWeighting | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.student = student
        self.distillation_losses = list(distillation_losses)
        self.weighting = weighting or ConstantWeights()
        self._num_steps = 1
        self._loss_metrics = {
            name: keras.metrics.Mean(name=name) for name in ("loss", "hard_loss", "soft_loss")
        }

    def build_losses(self, setup: DistillationSetup) -> None:
        """Lets every method look at student and teacher, and checks that they fit.

        Raises:
            ValueError: Student and teacher are of different catalogues, or a method cannot work
                between them.
        """
        for teacher in setup.teachers:
            if teacher.num_items != self.student.num_items:
                raise ValueError(
                    f"the student knows {self.student.num_items} books, the teacher {teacher.num_items}: "
                    "they belong to different catalogues"
                )
        self._num_steps = max(setup.num_steps, 1)
        for known in self.distillation_losses:
            known.build(setup)
        self.weighting.build(replace(setup, num_losses=len(self.distillation_losses)))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The student's logits: float32 [B, V + 1]."""
        return self.student(inputs, training=training)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights of a saved Distiller, which are the student's."""
        self.student.create_weights()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._loss_metrics.values())

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """What a step changes: the student's weights, and those that methods have of their own."""
        return [
            *self.student.trainable_variables,
            *(weight for known in self.distillation_losses for weight in known.trainable_variables),
            *self.weighting.trainable_variables,
        ]

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """One step on (history int32 [B, L], labels as `Step` describes them)."""
        history, labels = data
        with tf.GradientTape() as tape:
            losses = self._compute_losses(history, labels, training=True)
        self.optimizer.minimize(losses["loss"], self.trainable_variables, tape=tape)
        return self._update_metrics(losses)

    def test_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """The same losses without learning and without dropout."""
        history, labels = data
        return self._update_metrics(self._compute_losses(history, labels, training=False))

    def _compute_losses(
        self, history: tf.Tensor, labels: dict[str, tf.Tensor], training: bool
    ) -> dict[str, tf.Tensor]:
        names = list(
            dict.fromkeys(
                name for known in self.distillation_losses for name in known.student_layers
            )
        )
        # Through `call` and not the student itself: it marks the Distiller as built for saving.
        with capture_layer_outputs(self.student, names) as hidden:
            logits = self(history, training=training)
        scored = MaskedLogits.from_logits(logits, self.student.seen_items(history))
        hard = self.student.supervised_loss(history, labels["targets"], scored)
        done = self.optimizer.iterations if training else 0
        step = DistillationBatch(
            history=history,
            masked_logits=scored,
            labels=labels,
            student=self.student,
            layer_outputs=hidden,
            training=training,
            progress=tf.minimum(tf.cast(done, tf.float32) / self._num_steps, 1.0),
        )
        soft = [known.compute_loss(step) for known in self.distillation_losses]
        means = [tf.reduce_mean(loss) for loss in soft]
        return {
            "loss": tf.reduce_mean(self.weighting.combine(hard, soft, step)),
            "hard_loss": tf.reduce_mean(hard),
            "soft_loss": tf.add_n(means or [tf.zeros([])]),
        }

    def _update_metrics(self, losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in losses.items():
            self._loss_metrics[name].update_state(value)
        return {name: mean.result() for name, mean in self._loss_metrics.items()}

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "student": serialize(self.student),
            "distillation_losses": [serialize(known) for known in self.distillation_losses],
            "weighting": serialize(self.weighting),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Distiller:
        """The Distiller that `get_config` described, with new weights."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            deserialize(config["student"]),
            [deserialize(known) for known in config["distillation_losses"]],
            deserialize(config["weighting"]),
            name=config["name"],
        )

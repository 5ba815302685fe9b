"""The Distiller: the training step of every student and every distillation method."""

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
    """Trains a student on ground-truth items and on the teacher's outputs, in one loss.

    The student loss is computed on the items that users really chose. Each distillation method
    adds a distillation loss, and a `LossWeighting` combines them. The teacher does not run here:
    its outputs come with the batches (see `kd_tf.distill.teacher_targets`). Without distillation
    losses the student is trained alone in exactly the same way, as the reference that distilled
    students are compared with.

    Args:
        student: Any `HistoryModel`.
        distillation_losses: The distillation methods.
        weighting: Combines the losses. The default is `ConstantWeights` with a
            `student_loss_weight` of 1, that is the student loss alone.

    Example:
        >>> import numpy as np
        >>> from kd_tf.distill.losses.response.soft_targets import SoftTargets
        >>> from kd_tf.models.students.mlp import MLPStudent
        >>> student = MLPStudent(num_items=100, max_length=3, embedding_dim=8)
        >>> distiller = Distiller(
        ...     student, [SoftTargets(temperature=2.0)], ConstantWeights(student_loss_weight=0.3)
        ... )
        >>> distiller(np.array([[5, 7, 0]])).shape
        TensorShape([1, 101])
        >>> [metric.name for metric in distiller.metrics]
        ['loss', 'student_loss', 'distillation_loss']

        To train it, give it the teacher and the setup, compile it and call ``fit``::

            distiller.build_losses(setup)
            distiller.compile(optimizer=keras.optimizers.Adam())
            distiller.fit(batches)
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
            name: keras.metrics.Mean(name=name)
            for name in ("loss", "student_loss", "distillation_loss")
        }

    def build_losses(self, setup: DistillationSetup) -> None:
        """Builds the distillation losses and the weighting for a student and its teachers.

        Raises:
            ValueError: Student and teacher have different catalogs, or a method does not support
                this pair.
        """
        for teacher in setup.teachers:
            if teacher.num_items != self.student.num_items:
                raise ValueError(
                    f"the student has {self.student.num_items} items, the teacher "
                    f"{teacher.num_items}: both must use the same catalog"
                )
        self._num_steps = max(setup.num_steps, 1)
        for loss in self.distillation_losses:
            loss.build(setup)
        self.weighting.build(replace(setup, num_losses=len(self.distillation_losses)))

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the student's logits: float32 [B, V + 1] of histories int32 [B, L]."""
        return self.student(inputs, training=training)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Creates the weights of a saved Distiller, which are the student's."""
        self.student.create_weights()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of the three losses."""
        return list(self._loss_metrics.values())

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """The student's weights and the own weights of the losses and the weighting."""
        return [
            *self.student.trainable_variables,
            *(weight for loss in self.distillation_losses for weight in loss.trainable_variables),
            *self.weighting.trainable_variables,
        ]

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Runs one training step.

        Args:
            data: History int32 [B, L], and labels as in `DistillationBatch`.

        Returns:
            The running means of ``loss``, ``student_loss`` and ``distillation_loss``.
        """
        history, labels = data
        with tf.GradientTape() as tape:
            losses = self._compute_losses(history, labels, training=True)
        self.optimizer.minimize(losses["loss"], self.trainable_variables, tape=tape)
        return self._update_metrics(losses)

    def test_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Computes the same losses as `train_step`, without an update and without dropout."""
        history, labels = data
        return self._update_metrics(self._compute_losses(history, labels, training=False))

    def _compute_losses(
        self, history: tf.Tensor, labels: dict[str, tf.Tensor], training: bool
    ) -> dict[str, tf.Tensor]:
        layer_names = list(
            dict.fromkeys(name for loss in self.distillation_losses for name in loss.student_layers)
        )
        # Call the Distiller and not the student: Keras then marks it as built, so it can be saved.
        with capture_layer_outputs(self.student, layer_names) as layer_outputs:
            logits = self(history, training=training)
        masked_logits = MaskedLogits.from_logits(logits, self.student.seen_items(history))
        student_loss = self.student.supervised_loss(history, labels["targets"], masked_logits)
        step = self.optimizer.iterations if training else 0
        batch = DistillationBatch(
            history=history,
            masked_logits=masked_logits,
            labels=labels,
            student=self.student,
            layer_outputs=layer_outputs,
            training=training,
            progress=tf.minimum(tf.cast(step, tf.float32) / self._num_steps, 1.0),
        )
        losses = [loss.compute_loss(batch) for loss in self.distillation_losses]
        means = [tf.reduce_mean(loss) for loss in losses]
        return {
            "loss": tf.reduce_mean(self.weighting.combine(student_loss, losses, batch)),
            "student_loss": tf.reduce_mean(student_loss),
            "distillation_loss": tf.add_n(means or [tf.zeros([])]),
        }

    def _update_metrics(self, losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in losses.items():
            self._loss_metrics[name].update_state(value)
        return {name: mean.result() for name, mean in self._loss_metrics.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns the serialized student, distillation losses and weighting."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "student": serialize(self.student),
            "distillation_losses": [serialize(loss) for loss in self.distillation_losses],
            "weighting": serialize(self.weighting),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Distiller:
        """Creates a Distiller from `get_config`, with new weights."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            deserialize(config["student"]),
            [deserialize(loss) for loss in config["distillation_losses"]],
            deserialize(config["weighting"]),
            name=config["name"],
        )

"""The Distiller: one training loop for every student and every method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.distill.knowledge.base import Knowledge
from kd_tf.keras import keras, tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.losses import mask_history


@keras.saving.register_keras_serializable(package="kd_tf")
class Distiller(keras.Model):
    """Trains a student on readers' books and on what a teacher knows, in one loss::

        alpha * hard + (1 - alpha) * soft

    `hard` is the student's own loss on the books that readers really chose; `soft` is the sum of
    the knowledge's losses. The teacher does not run here: its answers come with the batches (see
    `kd_tf.distill.teacher_targets`). Without knowledge and with alpha 1 it trains the student
    alone, in exactly the same way, which is what a distilled student is compared with.

    Args:
        student: Any `HistoryModel`.
        knowledge: The methods, added up.
        alpha: Weight of the hard loss, 0 to 1; below 1 there must be knowledge.

    Example:
        >>> distiller = Distiller(student, knowledge=[SoftTargets(2.0)], alpha=0.3)
        >>> distiller.compile(optimizer=keras.optimizers.Adam())  # doctest: +SKIP
        >>> distiller.fit(batches)  # doctest: +SKIP
    """

    def __init__(
        self,
        student: HistoryModel,
        *,
        knowledge: Sequence[Knowledge] = (),
        alpha: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], not {alpha}")
        if alpha < 1 and not knowledge:
            raise ValueError(f"alpha is {alpha}, but there is no knowledge to give the rest to")
        self.student = student
        self.knowledge = list(knowledge)
        self.alpha = alpha
        self._means = {
            name: keras.metrics.Mean(name=name) for name in ("loss", "hard_loss", "soft_loss")
        }

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The student's logits: float32 [B, V + 1]."""
        return self.student(inputs, training=training)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights of a saved Distiller, which are the student's."""
        self.student.create_weights()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._means.values())

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """One step on (history int32 [B, L], labels as `Knowledge.loss` describes them)."""
        history, labels = data
        with tf.GradientTape() as tape:
            losses = self._weighted_losses(history, labels, training=True)
        self.optimizer.minimize(losses["loss"], self.student.trainable_variables, tape=tape)
        return self._report(losses)

    def test_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """The same losses without learning and without dropout."""
        history, labels = data
        return self._report(self._weighted_losses(history, labels, training=False))

    def _weighted_losses(
        self, history: tf.Tensor, labels: dict[str, tf.Tensor], training: bool
    ) -> dict[str, tf.Tensor]:
        # Through `call` and not the student itself: it marks the Distiller as built for saving.
        logits = self(history, training=training)
        hard = tf.reduce_mean(self.student.hard_loss(history, labels["targets"], logits))
        masked = mask_history(logits, history)
        soft = tf.add_n(
            [tf.reduce_mean(known.loss(masked, labels)) for known in self.knowledge]
            or [tf.zeros_like(hard)]
        )
        return {
            "loss": self.alpha * hard + (1 - self.alpha) * soft,
            "hard_loss": hard,
            "soft_loss": soft,
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
            "alpha": self.alpha,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Distiller:
        """The Distiller that `get_config` described, with new weights."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            deserialize(config["student"]),
            knowledge=[deserialize(known) for known in config["knowledge"]],
            alpha=config["alpha"],
            name=config["name"],
        )

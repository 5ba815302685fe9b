"""What weighs the losses of a Distiller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup


class LossWeighting(keras.layers.Layer):
    """Makes one loss of the hard one and those of the methods.

    A subclass has one function. Weights of its own learn with the student.
    """

    def build(self, setup: DistillationSetup) -> None:
        """Looks at student and teacher once, before the first step; by default it need not."""

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        """The loss of each example.

        Args:
            hard: float32 [B], on the books that readers really chose.
            soft: float32 [B] of every method, in their order; may be empty.
            step: The batch.

        Returns:
            float32 [B].
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; one with any overrides it and adds them."""
        return {"name": self.name}

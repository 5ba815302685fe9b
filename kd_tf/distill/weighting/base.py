"""Base class for combining the losses of a Distiller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup


class LossWeighting(keras.layers.Layer):
    """Combines the student loss and the distillation losses into one loss.

    A subclass overrides `combine`. Trainable weights of a weighting are trained with the student.

    Example:
        >>> class Sum(LossWeighting):
        ...     def combine(self, student_loss, distillation_losses, batch):
        ...         return student_loss + tf.add_n(list(distillation_losses))
        >>> losses = [tf.constant([0.5, 1.0]), tf.constant([2.0, 3.0])]
        >>> Sum().combine(tf.constant([1.0, 2.0]), losses, batch=None).numpy()
        array([3.5, 6. ], dtype=float32)
    """

    def build(self, setup: DistillationSetup) -> None:
        """Prepares the weighting before the first training step; does nothing by default.

        Args:
            setup: Student, teachers and number of losses.
        """

    def combine(
        self,
        student_loss: tf.Tensor,
        distillation_losses: Sequence[tf.Tensor],
        batch: DistillationBatch,
    ) -> tf.Tensor:
        """Computes the combined loss of each example.

        Args:
            student_loss: float32 [B], the loss on the items that users really chose.
            distillation_losses: float32 [B] per distillation method, in their order; may be empty.
            batch: The batch that the losses were computed on.

        Returns:
            float32 [B].
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; subclasses add theirs."""
        return {"name": self.name}

"""What a distillation method is to the Distiller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kd_tf.keras import tf


class Knowledge:
    """Something that a teacher knows, and how far a student is from knowing it.

    A method is a subclass with one loss function; the Distiller never changes for it. Register
    it with ``keras.saving.register_keras_serializable`` so that a saved Distiller finds it.
    """

    def loss(self, logits: tf.Tensor, labels: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """How far the student is from the teacher on each example.

        Args:
            logits: float32 [B, V + 1], the student's, padding and history masked.
            labels: What comes with the batch: ``targets`` int32 [B, M], and of the teacher
                ``teacher_ids`` int32 [B, K] (0 is padding) and ``teacher_logits`` float32 [B, K].

        Returns:
            float32 [B], at least 0 and 0 for a perfect student.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Knowledge:
        """The method that `get_config` described."""
        return cls(**config)

"""What a distillation method is to the Distiller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel


@dataclass(frozen=True)
class DistillationSetup:
    """What a method may look at before training begins.

    Attributes:
        student: Its weights exist.
        teachers: Finished, at least one; the first is the one whose targets come with batches.
        popularity: int64 [V + 1], how many training readers have each book.
        steps: How many steps the training has at most.
        seed: For whatever the method draws.
        methods: How many methods there are.
    """

    student: HistoryModel
    teachers: Sequence[HistoryModel]
    popularity: np.ndarray
    num_steps: int
    seed: int
    num_losses: int = 1

    @property
    def teacher(self) -> HistoryModel:
        """The first teacher."""
        return self.teachers[0]


@dataclass(frozen=True)
class DistillationBatch:
    """One batch as a method sees it.

    Attributes:
        history: int32 [B, L].
        scored: What the student says.
        labels: What comes with the batch: ``targets`` int32 [B, M]; of the teacher
            ``teacher_ids`` int32 [B, K] (its best books, best first, 0 is padding),
            ``teacher_logits`` float32 [B, K], ``teacher_total`` float32 [B] (the logarithm of
            the sum of exp over all its logits), and what `Knowledge.needs` names.
        student: The model that learns.
        hidden: What the student's layers that `Knowledge.watched` names gave, by name.
        training: Whether this is a training step.
        progress: float32 [], how much of the training is done, 0 to 1.
    """

    history: tf.Tensor
    masked_logits: MaskedLogits
    labels: Mapping[str, tf.Tensor]
    student: HistoryModel
    layer_outputs: Mapping[str, tf.Tensor]
    training: bool
    progress: tf.Tensor

    @property
    def student_logits(self) -> tf.Tensor:
        """float32 [B, V + 1], the student's, padding and history masked."""
        return self.masked_logits.unseen_logits


class DistillationLoss(keras.layers.Layer):
    """Something that a teacher knows, and how far a student is from knowing it.

    A method is a subclass with one loss function; the Distiller never changes for it. Layers of
    its own (a projector) are made in `prepare`, with their weights, and learn with the student.
    Register it with ``keras.saving.register_keras_serializable`` so that a saved Distiller finds
    it.

    Attributes:
        needs: Labels that it reads beyond the teacher's best books (see
            `kd_tf.distill.teacher_targets.EXTRA`; ``stage_ids``: see `stage_targets` there).
        watched: Names of the student's layers whose output it reads.
        default_weight: What its loss weighs beside others unless the settings say: less than 1
            where it is a sum, so that one balance does for all methods.
    """

    teacher_outputs: tuple[str, ...] = ()
    student_layers: tuple[str, ...] = ()
    default_weight: float = 1.0

    def build(self, setup: DistillationSetup) -> None:
        """Looks at student and teacher once, before the first step; by default it need not.

        Raises:
            ValueError: The method cannot work between these two.
        """

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """How far the student is from the teacher on each example: float32 [B]."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; a method with any overrides it and adds them."""
        return {"name": self.name}

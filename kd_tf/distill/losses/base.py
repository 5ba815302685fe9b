"""The interface between distillation losses and the Distiller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel
from kd_tf.models.trainable import TrainableModel


@dataclass(frozen=True)
class DistillationSetup:
    """Student, teachers and training setup, passed to `DistillationLoss.build`.

    Attributes:
        student: The student; its weights exist.
        teachers: At least one trained teacher. The outputs that come with the batches are those
            of the first.
        popularity: int64 [V + 1], the number of training users of each item; of the ranking task
            empty.
        num_steps: The maximum number of training steps.
        seed: Seed for whatever a loss initializes at random.
        num_losses: The number of distillation losses in the training.
    """

    student: Any
    teachers: Sequence[Any]
    popularity: np.ndarray
    num_steps: int
    seed: int
    num_losses: int = 1

    @property
    def teacher(self) -> Any:
        """The first teacher."""
        return self.teachers[0]


@dataclass(frozen=True)
class DistillationBatch:
    """One batch with the outputs of student and teacher, the input of `compute_loss`.

    Attributes:
        inputs: What the student got: histories int32 [B, L], or the features of rows by name.
        outputs: What losses read of the student (`TrainableModel.to_outputs`): its masked logits
            of the catalog, or one logit per row, float32 [B].
        labels: What comes with the batch: ``targets``, the ground truth, and the teacher's outputs.
            Of a catalog: ``targets`` int32 [B, M], the ground-truth items, ``teacher_ids`` int32
            [B, K] (the teacher's top K items, best first, padded with 0), ``teacher_logits``
            float32 [B, K], ``teacher_total`` float32 [B] (the log-sum-exp of all its logits). Of
            rows: ``targets`` float32 [B], 0 to 1, and ``teacher_logits`` float32 [B, T], of T
            teachers. And the outputs that `DistillationLoss.teacher_outputs` names.
        student: The model in training.
        layer_outputs: The outputs of the student's layers that
            `DistillationLoss.student_layers` names, by layer name.
        training: Whether this is a training step.
        progress: float32 [], the finished share of the training, from 0 to 1.

    Example:
        >>> batch = DistillationBatch.from_logits([[0.0, 2.0, 1.0]], {"targets": [[1]]})
        >>> batch.student_logits.shape.as_list()
        [1, 3]
        >>> rows = DistillationBatch.from_row_logits([0.5, -1.0], {"targets": [1.0, 0.0]})
        >>> rows.student_logits.numpy().tolist()
        [0.5, -1.0]
    """

    inputs: Any
    outputs: MaskedLogits | tf.Tensor
    labels: Mapping[str, tf.Tensor]
    student: Any
    layer_outputs: Mapping[str, tf.Tensor]
    training: bool
    progress: tf.Tensor

    @classmethod
    def from_logits(
        cls,
        logits: Any,
        labels: Mapping[str, Any],
        *,
        student: Any = None,
        training: bool = False,
        progress: float = 1.0,
    ) -> Self:
        """Builds a batch of given logits, to try a loss without training a model.

        Args:
            logits: float32 [B, V + 1], the student's; column 0 is padding and gets masked.
            labels: Arrays by name, as in `labels` of the class.
            student: The student, for losses that read more than its logits.
            training: Whether this is a training step.
            progress: The finished share of the training, from 0 to 1.
        """
        logits = tf.convert_to_tensor(logits, tf.float32)
        history = tf.zeros([tf.shape(logits)[0], 1], tf.int32)
        outputs = MaskedLogits.from_logits(logits, history)
        return cls._build(history, outputs, labels, student, training, progress)

    @classmethod
    def from_row_logits(
        cls,
        logits: Any,
        labels: Mapping[str, Any],
        *,
        student: Any = None,
        training: bool = False,
        progress: float = 1.0,
    ) -> Self:
        """Builds a batch of the ranking task of given logits, float32 [B]; see `from_logits`."""
        outputs = tf.convert_to_tensor(logits, tf.float32)
        return cls._build({}, outputs, labels, student, training, progress)

    @classmethod
    def _build(
        cls,
        inputs: Any,
        outputs: MaskedLogits | tf.Tensor,
        labels: Mapping[str, Any],
        student: Any,
        training: bool,
        progress: float,
    ) -> Self:
        return cls(
            inputs=inputs,
            outputs=outputs,
            labels={name: tf.convert_to_tensor(label) for name, label in labels.items()},
            student=student,
            layer_outputs={},
            training=training,
            progress=tf.constant(progress, tf.float32),
        )

    @property
    def history(self) -> tf.Tensor:
        """The histories, int32 [B, L]."""
        return self.inputs

    @property
    def masked_logits(self) -> MaskedLogits:
        """The student's logits of the catalog."""
        assert isinstance(self.outputs, MaskedLogits)
        return self.outputs

    @property
    def logits(self) -> tf.Tensor:
        """What the student's `call` returned."""
        return self.outputs.logits if isinstance(self.outputs, MaskedLogits) else self.outputs

    @property
    def student_logits(self) -> tf.Tensor:
        """The student's logits: of a catalog float32 [B, V + 1], padding and history masked; of
        rows float32 [B].
        """
        if isinstance(self.outputs, MaskedLogits):
            return self.outputs.unseen_logits
        return self.outputs


class DistillationLoss(keras.layers.Layer):
    """Base class of all distillation losses.

    A distillation method is a subclass that implements `compute_loss`; the Distiller does not
    change for it. Layers that the method needs (such as a projector) are created in `build`,
    including their weights, and are trained together with the student. Register a subclass with
    ``keras.saving.register_keras_serializable`` so that a saved Distiller can be loaded.

    Attributes:
        student_classes: Base classes of the models that the loss can teach: by default those that
            rank a catalog.
        teacher_outputs: Names of the teacher outputs that the loss reads beside the teacher's top
            K (see `kd_tf.distill.teacher_targets`).
        student_layers: Names of the student's layers whose outputs the loss reads.
        default_weight: Weight of the loss unless the configuration sets one. It is below 1 where
            the loss is a sum, so that one student loss weight suits all methods.

    Example:
        >>> class TopItemMargin(DistillationLoss):
        ...     def compute_loss(self, batch):
        ...         top = tf.gather(batch.student_logits, batch.labels["teacher_ids"], batch_dims=1)
        ...         return tf.reduce_max(batch.student_logits, axis=1) - top[:, 0]
        >>> batch = DistillationBatch.from_logits([[0.0, 2.0, 1.0, 5.0]], {"teacher_ids": [[1]]})
        >>> TopItemMargin().compute_loss(batch).numpy().tolist()
        [3.0]
    """

    student_classes: tuple[type[TrainableModel], ...] = (HistoryModel,)
    teacher_outputs: tuple[str, ...] = ()
    student_layers: tuple[str, ...] = ()
    default_weight: float = 1.0

    def build(self, setup: DistillationSetup) -> None:
        """Prepares the loss for student and teacher, once before the first training step.

        Does nothing by default.

        Raises:
            ValueError: The loss does not support this student or this teacher.
        """

    def compute_loss(self, batch: DistillationBatch) -> tf.Tensor:
        """Computes the loss of each example: float32 [B]."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; a subclass with arguments adds its own."""
        return {"name": self.name}

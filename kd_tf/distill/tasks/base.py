"""The interface between the Distiller and the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.examples.batches import Batches
from kd_tf.models.trainable import TrainableModel


@dataclass(frozen=True)
class Lesson:
    """What a student is taught with.

    Attributes:
        batches: The training batches.
        teachers: The teachers that losses are built for; the first is the main one.
        popularity: As in `DistillationSetup`.
        seed: Seed for whatever losses draw.
        data: What the batches were made of, for `DistillationTask.finish_lesson`.
    """

    batches: Batches
    teachers: Sequence[TrainableModel]
    popularity: np.ndarray
    seed: int
    data: Any


class DistillationTask:
    """What the Distiller has to know of a task.

    Attributes:
        student_class: Base class of the models of the task.
        data_class: Class of the training data that `Distiller.fit` takes.
        main_output: The label of the teachers' output that every batch with their outputs has.
    """

    student_class: type[TrainableModel]
    data_class: type
    main_output: str

    def check_pair(self, student: Any, teacher: Any) -> None:
        """Raises ValueError if a model cannot teach a student."""
        raise NotImplementedError

    def prepare_lesson(
        self,
        student: Any,
        teachers: Sequence[Any],
        data: Any,
        *,
        batch_size: int | None,
        num_passes: int | None,
        num_targets: int | None,
        seed: int | None,
    ) -> Lesson:
        """Makes the batches of a training; see `Distiller.fit`."""
        raise NotImplementedError

    def compute_teacher_outputs(
        self,
        teachers: Sequence[Any],
        inputs: Any,
        labels: Mapping[str, tf.Tensor],
        extra: Sequence[str],
        top_k: int,
    ) -> dict[str, tf.Tensor]:
        """Runs the teachers on a batch.

        Args:
            teachers: The teachers.
            inputs: The student's inputs.
            labels: The labels of the batch.
            extra: Names of the outputs beside the usual ones that losses read.
            top_k: Number of the teacher's top items that losses see.
        """
        raise NotImplementedError

    def load_teacher_outputs(
        self,
        teachers: Sequence[Any],
        lesson: Lesson,
        extra: Sequence[str],
        top_k: int,
        folder: Path,
    ) -> dict[str, np.ndarray]:
        """Reads the teachers' outputs for all examples from the cache, or computes them."""
        raise NotImplementedError

    def make_validation_callback(
        self, validation_data: Any, student: Any
    ) -> keras.callbacks.Callback | None:
        """Makes the callback that logs the task's metrics of validation; None without data."""
        raise NotImplementedError

    def finish_lesson(self, student: Any, lesson: Lesson, validation_data: Any) -> None:
        """Fits what a student fits after its last step; by default nothing."""

"""Distillation of models that predict a label from the features of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.distill.row_teacher_targets import (
    TEACHER_LOGITS,
    compute_row_targets,
    compute_teacher_rows,
)
from kd_tf.distill.tasks.base import DistillationTask, Lesson
from kd_tf.models.ranking import fitting
from kd_tf.models.ranking.base import RankingModel
from kd_tf.progress import NullProgress


class RankingTask(DistillationTask):
    """The features of a row in, one logit out; every teacher teaches every row."""

    student_class = RankingModel
    data_class = RankingExamples
    main_output = TEACHER_LOGITS

    def check_pair(self, student: RankingModel, teacher: RankingModel) -> None:
        """Raises ValueError if the teacher lacks a feature of the student, or has another label."""
        if not isinstance(teacher, RankingModel):
            raise ValueError("student and teacher must have the same features")
        try:
            places = teacher.layout.find_places(student.layout)
        except ValueError as error:
            raise ValueError(
                f"student and teacher must have the same features, or the student fewer: {error}"
            ) from error
        if any(part != sorted(part) for part in places):
            raise ValueError("student and teacher must have the same features in the same order")
        if teacher.label_kind != student.label_kind:
            raise ValueError(
                f"the student predicts a {student.label_kind}, the teacher a {teacher.label_kind}"
            )

    def prepare_lesson(
        self,
        student: RankingModel,
        teachers: Sequence[RankingModel],
        data: RankingExamples,
        *,
        batch_size: int | None,
        num_passes: int | None,
        num_targets: int | None,
        seed: int | None,
    ) -> Lesson:
        """Puts rows into batches; see `RankingModel.fit`."""
        if num_passes is not None or num_targets is not None:
            raise ValueError("num_passes and num_targets are for histories: rows have one label")
        student.prepare_fit(data)
        batches = fitting.make_batches(student, data, batch_size, seed or 0, teachers)
        return Lesson(
            batches,
            teachers=list(teachers),
            popularity=np.zeros(0, np.int64),
            seed=seed or 0,
            data=data,
        )

    def compute_teacher_outputs(
        self,
        teachers: Sequence[RankingModel],
        inputs: dict[str, tf.Tensor],
        labels: Mapping[str, tf.Tensor],
        extra: Sequence[str],
        top_k: int,
    ) -> dict[str, tf.Tensor]:
        """Runs the teachers on a batch of rows."""
        for teacher in teachers:
            absent = teacher.make_empty_inputs().keys() - inputs.keys()
            is_same = all(
                inputs[name].shape[1] == array.shape[1]
                for name, array in teacher.make_empty_inputs().items()
                if name in inputs
            )
            if absent or not is_same:
                raise ValueError(
                    "the teacher has features that the student has not: its outputs must be cached "
                    "(Distiller(..., cache_dir=...))"
                )
        return compute_teacher_rows(teachers, inputs, extra)

    def load_teacher_outputs(
        self,
        teachers: Sequence[RankingModel],
        lesson: Lesson,
        extra: Sequence[str],
        top_k: int,
        folder: Path,
    ) -> dict[str, np.ndarray]:
        """Reads the teachers' outputs for all rows from the cache, or computes them."""
        outputs = compute_row_targets(
            teachers,
            lesson.data,
            teacher_outputs=extra,
            folder=folder / "targets",
            progress=NullProgress(),
        )
        return {name: array[None] for name, array in outputs.items()}

    def make_validation_callback(
        self, validation_data: Any, student: RankingModel
    ) -> keras.callbacks.Callback | None:
        """Makes the callback that logs ``val_auc`` or ``val_rmse``."""
        return fitting.make_validation_callback(validation_data, student)

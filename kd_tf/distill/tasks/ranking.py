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
from kd_tf.runtime.features.layout import CategoricalFeature


class RankingTask(DistillationTask):
    """The features of a row in, one logit out; every teacher teaches every row."""

    student_class = RankingModel
    data_class = RankingExamples
    main_output = TEACHER_LOGITS

    def __init__(self) -> None:
        self._needs_cache = False

    def check_pair(self, student: RankingModel, teacher: RankingModel) -> None:
        """Raises ValueError if the models share no features in the same order, or no label.

        Where one has features that the other lacks, the teacher's outputs must come from the cache:
        a batch has the student's features alone.
        """
        if not isinstance(teacher, RankingModel):
            raise ValueError("student and teacher must have the same features")
        common_features, teacher_order = (
            [feature for feature in _list_features(model) if feature in _list_features(other)]
            for model, other in ((student, teacher), (teacher, student))
        )
        if not common_features or common_features != teacher_order:
            raise ValueError(
                "student and teacher must have the same features in the same order; one may have "
                "more"
            )
        if teacher.label_kind != student.label_kind:
            raise ValueError(
                f"the student predicts a {student.label_kind}, the teacher a {teacher.label_kind}"
            )
        self._needs_cache |= teacher.layout != student.layout

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
        if self._needs_cache:
            raise ValueError(
                "student and teacher have different features: the teacher's outputs must be cached "
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


def _list_features(model: RankingModel) -> list[CategoricalFeature | str]:
    return [*model.layout.categorical, *model.layout.numeric]

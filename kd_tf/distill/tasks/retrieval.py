"""Distillation of models that rank a catalog for a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.examples.sequences import Examples
from kd_tf.data.histories import Histories
from kd_tf.data.split import TrainingSet, to_training_set
from kd_tf.distill.tasks.base import DistillationTask, Lesson
from kd_tf.distill.teacher_targets import (
    compute_curriculum_targets,
    compute_teacher_targets,
    select_teacher_outputs,
)
from kd_tf.models import fitting
from kd_tf.models.base import HistoryModel
from kd_tf.models.user_marks import make_user_marks
from kd_tf.progress import NullProgress

STAGE_IDS = "stage_ids"
"""The label of losses that learn from a curriculum of teachers."""

USER_MARKS = "user_marks"
"""The label with the marks of the users int32 [B, 1], for teachers that look users up."""


@dataclass(frozen=True)
class _History:
    train: TrainingSet
    examples: Examples


class RetrievalTask(DistillationTask):
    """Histories in, a score for every item out."""

    student_class = HistoryModel
    data_class = Histories
    main_output = "teacher_ids"

    def check_pair(self, student: HistoryModel, teacher: HistoryModel) -> None:
        """Raises ValueError if the models have different catalogs."""
        if not isinstance(teacher, HistoryModel) or teacher.num_items != student.num_items:
            raise ValueError(
                f"the student has {student.num_items} items, the teacher "
                f"{getattr(teacher, 'num_items', 'none')}: both must use the same catalog"
            )

    def prepare_lesson(
        self,
        student: HistoryModel,
        teachers: Sequence[HistoryModel],
        data: Histories,
        *,
        batch_size: int | None,
        num_passes: int | None,
        num_targets: int | None,
        seed: int | None,
    ) -> Lesson:
        """Draws examples of the histories; see `HistoryModel.fit`."""
        train = to_training_set(data, student.num_items)
        student.prepare_fit(train)
        examples = fitting.draw_examples(student, train, num_passes, num_targets, seed)
        batches = fitting.make_batches(examples, train, batch_size, seed)
        if examples.users is not None and any(model.looks_up_users for model in teachers):
            marks = make_user_marks(examples.users, train.num_items)
            marks = np.tile(marks[:, None], (examples.num_passes, 1, 1))
            batches = replace(batches, labels={**batches.labels, USER_MARKS: marks})
        return Lesson(
            batches,
            teachers=teachers[-1:],
            popularity=train.popularity(),
            seed=train.seed if seed is None else seed,
            data=_History(train, examples),
        )

    def compute_teacher_outputs(
        self,
        teachers: Sequence[HistoryModel],
        inputs: tf.Tensor,
        labels: Mapping[str, tf.Tensor],
        extra: Sequence[str],
        top_k: int,
    ) -> dict[str, tf.Tensor]:
        """Runs the teachers on a batch of histories."""
        user_marks = labels.get(USER_MARKS)

        def select_outputs(
            teacher: HistoryModel, teacher_outputs: Sequence[str] = ()
        ) -> dict[str, tf.Tensor]:
            history = inputs
            if teacher.looks_up_users and user_marks is not None:
                history = tf.concat([history, user_marks], axis=1)
            return select_teacher_outputs(
                teacher,
                history,
                teacher(history, training=False),
                top_k=top_k,
                teacher_outputs=teacher_outputs,
            )

        outputs = select_outputs(teachers[-1], [name for name in extra if name != STAGE_IDS])
        if STAGE_IDS in extra:
            stages = [select_outputs(teacher)["teacher_ids"] for teacher in teachers]
            outputs[STAGE_IDS] = tf.stack(stages, axis=1)
        return outputs

    def load_teacher_outputs(
        self,
        teachers: Sequence[HistoryModel],
        lesson: Lesson,
        extra: Sequence[str],
        top_k: int,
        folder: Path,
    ) -> dict[str, np.ndarray]:
        """Reads the teachers' outputs for all examples from the cache, or computes them."""
        outputs = compute_teacher_targets(
            teachers[-1],
            lesson.data.examples,
            top_k=top_k,
            teacher_outputs=[name for name in extra if name != STAGE_IDS],
            folder=folder / "targets",
            progress=NullProgress(),
        )
        if STAGE_IDS in extra:
            outputs |= compute_curriculum_targets(
                teachers,
                lesson.data.examples,
                top_k=top_k,
                folder=folder / "curriculum",
                progress=NullProgress(),
            )
        return outputs

    def make_validation_callback(
        self, validation_data: Any, student: HistoryModel
    ) -> keras.callbacks.Callback | None:
        """Makes the callback that logs ``val_ndcg@10``."""
        return fitting.make_validation_callback(validation_data, student)

    def finish_lesson(self, student: HistoryModel, lesson: Lesson, validation_data: Any) -> None:
        """Fits what the student fits after its last step."""
        student.finish_fit(lesson.data.train, validation_data)

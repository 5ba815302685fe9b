"""What the Distiller has to know of each task: its data, its teachers' outputs, its validation."""

from __future__ import annotations

from kd_tf.distill.tasks.base import DistillationTask
from kd_tf.distill.tasks.ranking import RankingTask
from kd_tf.distill.tasks.retrieval import RetrievalTask
from kd_tf.models.trainable import TrainableModel


def find_task(student: TrainableModel) -> DistillationTask:
    """Returns the task of a student.

    Raises:
        TypeError: It is no model of any task.
    """
    for task in (RetrievalTask(), RankingTask()):
        if isinstance(student, task.student_class):
            return task
    raise TypeError(
        f"a student is a HistoryModel or a RankingModel, not a {type(student).__name__}"
    )

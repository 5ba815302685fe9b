"""The names that options and settings choose from are those of the registries."""

from __future__ import annotations

from typing import get_args

from kd_tf import choices
from kd_tf.baselines import BASELINES
from kd_tf.choices import list_choices
from kd_tf.cli.run import TASKS
from kd_tf.config import MATRIX_FACTORIZATION
from kd_tf.data.ranking.fit_schema import Scaling
from kd_tf.data.ranking.row_splits import ROW_PROTOCOLS
from kd_tf.data.sources.download import PUBLISHED_FILES
from kd_tf.distill.losses import METHODS
from kd_tf.distill.losses.row import ROW_METHODS
from kd_tf.models.ranking.students import RANKING_STUDENTS
from kd_tf.models.ranking.teachers import RANKING_TEACHERS
from kd_tf.models.students import STUDENTS, TRAINED_STUDENTS, WARM_STARTED_STUDENTS
from kd_tf.models.teachers import TEACHERS, TRAINED_TEACHERS
from kd_tf.pipeline.method_presets import PRESETS
from kd_tf.pipeline.ranking.sampled_teacher import SAMPLED_TEACHER
from kd_tf.tflite.benchmark.benchmark import COMPETITORS
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.convert import QUANTIZATIONS


def test_models() -> None:
    assert list_choices(choices.TeacherArchitecture) == (*TEACHERS, MATRIX_FACTORIZATION)
    assert list_choices(choices.MemberArchitecture) == tuple(set_aside(TEACHERS, "ensemble"))
    assert list_choices(choices.StudentArchitecture) == ("auto", *STUDENTS, MATRIX_FACTORIZATION)
    assert list_choices(choices.TrainedTeacher) == tuple(TRAINED_TEACHERS)
    assert list_choices(choices.TrainedStudent) == tuple(TRAINED_STUDENTS)
    assert list_choices(choices.WarmStartedStudent) == tuple(WARM_STARTED_STUDENTS)
    assert list_choices(choices.BaselineName) == tuple(BASELINES)


def set_aside(names: object, name: str) -> list[str]:
    return [other for other in names if other != name]  # type: ignore[attr-defined]


def test_methods() -> None:
    assert list_choices(choices.LossName) == tuple(METHODS)
    assert list_choices(choices.PresetName) == tuple(PRESETS)


def test_files() -> None:
    assert set(list_choices(choices.QuantizationName)) == {form.value for form in Quantization}
    assert list_choices(choices.CompetitorName) == COMPETITORS
    assert list_choices(choices.DownloadName) == tuple(PUBLISHED_FILES)


def test_the_ranking_task() -> None:
    assert set(list_choices(choices.RankingMember)) == {SAMPLED_TEACHER, *RANKING_TEACHERS}
    assert list_choices(choices.RankingStudentName) == tuple(RANKING_STUDENTS)
    assert list_choices(choices.RankingLossName) == tuple(ROW_METHODS)
    assert list_choices(choices.RankingProtocol) == ROW_PROTOCOLS
    assert list_choices(choices.RankingQuantization) == tuple(form.value for form in QUANTIZATIONS)
    assert list_choices(choices.ScalingName) == get_args(Scaling)
    assert list_choices(choices.TaskName) == tuple(TASKS)

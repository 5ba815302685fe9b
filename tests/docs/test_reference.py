"""The reference lists all keys of the JSON files and all names of the registries."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from kd_tf.report.ranking_results import (
    PredictionArtifact,
    RankingDatasetResult,
    RankingResults,
)
from kd_tf.report.results import (
    CandidateResult,
    ComparisonResult,
    DatasetResult,
    ModelResult,
    ModelTable,
    Results,
)
from kd_tf.runtime.bundle import BundleConfig
from kd_tf.runtime.catalog import Item
from kd_tf.runtime.ranker_bundle import RankerConfig

DOCS = Path(__file__).parents[2] / "docs"


def assert_lists(page: str, names: list[str]) -> None:
    """Checks that a page has every name in backticks."""
    text = (DOCS / page).read_text("utf-8")
    assert not [name for name in names if f"`{name}`" not in text]


@pytest.mark.parametrize(
    "record",
    [
        Results,
        ModelTable,
        DatasetResult,
        ModelResult,
        CandidateResult,
        ComparisonResult,
        RankingResults,
        RankingDatasetResult,
        PredictionArtifact,
    ],
)
def test_results_json(record: type) -> None:
    assert_lists("reference/results.md", [field.name for field in dataclasses.fields(record)])


def test_bundle() -> None:
    for record in (BundleConfig, Item, RankerConfig):
        assert_lists("reference/bundle.md", [field.name for field in dataclasses.fields(record)])


def test_registries() -> None:
    """All names that settings take; in one test, which imports TensorFlow."""
    from kd_tf.baselines import BASELINES
    from kd_tf.distill.losses import METHODS
    from kd_tf.distill.losses.row import ROW_METHODS
    from kd_tf.evaluation.metrics.ranking import RANKING_METRICS
    from kd_tf.models.ranking.students import RANKING_STUDENTS
    from kd_tf.models.ranking.teachers import RANKING_TEACHERS
    from kd_tf.models.students import STUDENTS
    from kd_tf.models.teachers import TEACHERS
    from kd_tf.pipeline.method_presets import PRESETS
    from kd_tf.tflite.artifact import Artifact
    from kd_tf.tflite.quantization import Quantization

    assert_lists("explanation/evaluation.md", list(BASELINES))
    assert_lists("explanation/distillation.md", [*METHODS, *PRESETS])
    assert_lists("explanation/distillation.md", list(ROW_METHODS))
    assert_lists("explanation/students.md", [*STUDENTS, *RANKING_STUDENTS])
    assert_lists("explanation/teachers.md", [*TEACHERS, *RANKING_TEACHERS])
    assert_lists("explanation/quantization.md", [form.value for form in Quantization])
    assert_lists("reference/metrics.md", [f"{name}@k" for name in RANKING_METRICS])
    assert_lists("reference/results.md", [field.name for field in dataclasses.fields(Artifact)])

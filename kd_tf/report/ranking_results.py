"""The results of a run of the ranking task (results.json)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kd_tf import atomic
from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.report.results import FILE, VERSION, ComparisonResult, ModelResult

FILE_ROLE = "file"
"""Role of an exported file among models: it was measured by running it."""


@dataclass(frozen=True)
class RankingDatasetResult:
    """The table of a run and how it was split.

    Attributes:
        name: Name of the data set.
        label: Name, kind (``click`` or ``rating``), lowest and highest value of the label.
        rows: Number of rows.
        positive_share: Share of training rows that are clicks; None for ratings.
        protocol: Split protocol, for example ``random``.
        seed: Random seed of the split.
        train_rows: Number of training rows.
        validation_rows: Number of validation rows.
        test_rows: Number of test rows.
        columns: What each column was taken for, and why: ``name``, ``kind``, ``reason``.
        features: Number of features that models see.
        notes: Notes on the data, one sentence each.
    """

    name: str
    label: dict[str, Any]
    rows: int
    positive_share: float | None
    protocol: str
    seed: int
    train_rows: int
    validation_rows: int
    test_rows: int
    columns: list[dict[str, Any]]
    features: int
    notes: list[str]

    @property
    def test_size(self) -> str:
        """What metrics are measured on, for people."""
        return f"{self.test_rows:,} test row{'' if self.test_rows == 1 else 's'}"


@dataclass(frozen=True)
class PredictionArtifact:
    """Measurements of one .tflite file of the ranking task, taken by running the file itself.

    Attributes:
        name: Name of the variant.
        path: Path of the file, relative to the run's folder.
        bytes: Size of the file in bytes.
        sha256: SHA-256 of the file; the bundle takes only a file that has it.
        quantization: Quantization of the file.
        sparsity: Share of zeros in the student's dense core.
        signatures: Signatures that an app can call.
        metrics: Metrics on the test rows.
        threshold: Threshold of a click, chosen on validation rows with this file.
        validation_score: AUC of clicks or 1 - RMSE of scaled ratings on validation rows.
        parity: ``rows``, ``max_error``, ``mean_error`` against the student, ``max_numpy_error``
            against NumPy, and the tolerances of this quantization.
        latency_us: ``p50``, ``p90``, ``p99`` of ``predict`` in microseconds and ``threads``.
        min_runtime_version: Oldest TensorFlow Lite version that runs the file.
        intervals: 95 % bootstrap confidence intervals of the metrics.
        slices: As in `ModelResult`, with ``num_rows``.
    """

    name: str
    path: str
    bytes: int
    sha256: str
    quantization: str
    sparsity: float
    signatures: list[str]
    metrics: dict[str, float]
    threshold: float | None
    validation_score: float
    parity: dict[str, float]
    latency_us: dict[str, float]
    min_runtime_version: str
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    slices: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class RankingResults:
    """All results of a run of the ranking task.

    Attributes:
        dataset: The table.
        models: Baselines, teachers, and the students with and without distillation.
        artifacts: The exported .tflite files.
        comparisons: Paired differences between models.
        chosen: Name of the artifact in the bundle.
        reliability: By model, the bins of a reliability plot: ``mean_prediction``,
            ``positive_share`` and ``num_rows``; empty for ratings.
        environment: Versions of Python and the libraries, and the machine.
        task: ``ranking``.
        version: Version of the format.
    """

    dataset: RankingDatasetResult
    models: list[ModelResult]
    artifacts: list[PredictionArtifact]
    comparisons: list[ComparisonResult]
    chosen: str
    reliability: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    task: str = "ranking"
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Converts the results to a dictionary for JSON: version and task, then the fields."""
        values = dataclasses.asdict(self)
        return {"version": values.pop("version"), "task": values.pop("task"), **values}

    def write(self, folder: Path) -> None:
        """Writes results.json into a run's folder atomically."""
        atomic.write_json(folder / FILE, self.to_json())

    @property
    def num_cold_rows(self) -> int:
        """Number of test rows of items that training has not; 0 where all of them are."""
        cold_slice = self.shipped_artifact.slices.get(COLD_ITEMS, {})
        return int(cold_slice.get("num_rows", 0)) % self.dataset.test_rows

    @property
    def shipped_artifact(self) -> PredictionArtifact:
        """The artifact in the bundle."""
        return next(artifact for artifact in self.artifacts if artifact.name == self.chosen)


@dataclass(frozen=True)
class RankingModelTable:
    """Students with and without distillation, evaluated on the same test rows.

    Attributes:
        dataset: The table; with folds, the test rows of all of them.
        models: The teacher; each student, and its file (role ``file``, measured by running it).
            Metrics are means over seeds and folds.
        comparisons: Paired differences between students, and between their files.
        num_seeds: Number of trainings of each student on the same rows.
        num_folds: Number of folds; 1 without cross-validation.
        environment: Versions of Python and the libraries, and the machine.
        task: ``ranking``.
        version: Version of the format.
    """

    dataset: RankingDatasetResult
    models: list[ModelResult]
    comparisons: list[ComparisonResult]
    num_seeds: int
    num_folds: int
    environment: dict[str, str] = field(default_factory=dict)
    task: str = "ranking"
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Converts the table to a dictionary for JSON: version and task, then the fields."""
        values = dataclasses.asdict(self)
        return {"version": values.pop("version"), "task": values.pop("task"), **values}

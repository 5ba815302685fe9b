"""results.json: every figure of a run. The tables, the model card and the report come from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kd_tf import atomic

VERSION = 1
FILE = "results.json"


@dataclass(frozen=True)
class DatasetResult:
    """What was learnt from and how it was judged."""

    name: str
    users: int
    items: int
    interactions: int
    protocol: str
    seed: int
    train_users: int
    validation_users: int
    test_users: int
    cleaning: list[dict[str, Any]]
    notes: list[str]


@dataclass(frozen=True)
class ModelResult:
    """One baseline, teacher or student, measured on the test readers.

    Attributes:
        name: Of the model, for example ``student-distilled``.
        role: ``baseline``, ``teacher`` or ``student``.
        kind: The architecture.
        parameters: How many numbers it stores.
        bytes: What they take in memory.
        metrics: By name, for example ``ndcg@10``.
        train_seconds: Wall time of the fit, validation included.
    """

    name: str
    role: str
    kind: str
    parameters: int
    bytes: int
    metrics: dict[str, float]
    train_seconds: float


@dataclass(frozen=True)
class Artifact:
    """One .tflite, measured by running the file itself.

    Attributes:
        name: Of the variant.
        path: Relative to the run's folder.
        bytes: Of the file.
        floor_bytes: What the weights alone need in this form.
        quantization: The form.
        sparsity: Share of zeros in the student's dense core.
        signatures: What an app can call.
        metrics: On the test readers.
        validation_ndcg: NDCG@10 on the validation readers: what the choice is made by.
        parity: ``histories``, ``top10_overlap`` and ``max_score_error`` against the student.
        latency_us: ``p50``, ``p90``, ``p99`` in microseconds and ``threads``.
        peak_memory_bytes: Growth of a fresh process that loads and runs the file.
        min_runtime_version: The least TensorFlow Lite version that runs it.
    """

    name: str
    path: str
    bytes: int
    floor_bytes: int
    quantization: str
    sparsity: float
    signatures: list[str]
    metrics: dict[str, float]
    validation_ndcg: float
    parity: dict[str, float]
    latency_us: dict[str, float]
    peak_memory_bytes: int
    min_runtime_version: str


@dataclass(frozen=True)
class ComparisonResult:
    """Paired difference of two models over the test readers: ``model`` minus ``against``."""

    model: str
    against: str
    metric: str
    difference: float
    standard_error: float
    readers: int


@dataclass(frozen=True)
class Results:
    """Everything that a run measured."""

    dataset: DatasetResult
    models: list[ModelResult]
    artifacts: list[Artifact]
    comparisons: list[ComparisonResult]
    chosen: str
    environment: dict[str, str] = field(default_factory=dict)
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Version first, then as the fields stand."""
        values = dataclasses.asdict(self)
        return {"version": values.pop("version"), **values}

    def write(self, folder: Path) -> None:
        """Writes results.json into a run's folder in one step."""
        atomic.write_json(folder / FILE, self.to_json())

    @property
    def shipped(self) -> Artifact:
        """The artifact in the bundle."""
        return next(one for one in self.artifacts if one.name == self.chosen)

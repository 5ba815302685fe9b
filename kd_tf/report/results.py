"""results.json: every figure of a run. The tables, the model card and the report come from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kd_tf import atomic
from kd_tf.evaluate.comparison import PairedComparison
from kd_tf.tflite.artifact import Artifact

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
class ComparisonResult:
    """Paired difference of two models over the test readers: ``model`` minus ``against``."""

    model: str
    against: str
    metric: str
    difference: float
    standard_error: float
    readers: int

    @property
    def verdict(self) -> str:
        """``above``, ``below``, or ``not distinguishable from`` within two standard errors."""
        ratio = PairedComparison(self.difference, self.standard_error, self.readers).ratio
        if abs(ratio) < 2:
            return "not distinguishable from"
        return "above" if ratio > 0 else "below"


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

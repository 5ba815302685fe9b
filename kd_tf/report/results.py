"""results.json: every figure of a run. The tables, the model card and the report come from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_tf import atomic
from kd_tf.data.interactions import CleaningStep, Counts
from kd_tf.evaluate.significance import PairedComparison

if TYPE_CHECKING:  # TensorFlow would start for a table of baselines
    from kd_tf.tflite.artifact import Artifact

VERSION = 1
FILE = "results.json"


@dataclass(frozen=True)
class DatasetResult:
    """What was learnt from and how it was judged.

    Attributes:
        name: Of the data.
        users: Readers after cleaning.
        items: Books in the catalogue.
        interactions: Rows after cleaning.
        protocol: How readers or books were held out.
        seed: What drew them.
        train_users: How many readers models learn from.
        validation_users: How many choose.
        test_users: How many judge.
        cleaning: Name, and counts before and after, of every step (`CleaningStep`).
        notes: What a person should know of the data, one sentence each.
        candidates: ``full``, or ``sampled:N`` where held-out books are ranked among N others.
    """

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
    candidates: str = "full"


@dataclass(frozen=True)
class ModelResult:
    """One baseline, teacher or student, measured on the test readers.

    Attributes:
        name: Of the model, for example ``student-distilled``.
        role: ``baseline``, ``teacher`` or ``student``.
        kind: The architecture.
        parameters: How many numbers it stores.
        bytes: What they take in memory; of a student, in an int8 file.
        metrics: By name, for example ``ndcg@10``.
        train_seconds: Wall time of the fit, validation included.
        intervals: 95 % bootstrap confidence intervals of those metrics that are means over
            readers.
        slices: By the slice's name how many ``readers`` it has and their ``metrics``.
        deviations: Standard deviations of the metrics over several trainings, where there were.
    """

    name: str
    role: str
    kind: str
    parameters: int
    bytes: int
    metrics: dict[str, float]
    train_seconds: float
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    slices: dict[str, dict[str, Any]] = field(default_factory=dict)
    standard_deviations: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparisonResult:
    """Paired difference of two models over the test readers: ``model`` minus ``against``.

    Attributes:
        model: The name of the one.
        against: The name of the other.
        metric: What was compared.
        difference: Mean difference.
        standard_error: Of that mean.
        readers: How many readers both were measured on.
        p_value: Two-sided paired t-test; where several models are compared with one, adjusted by
            Holm's method.
    """

    model: str
    reference: str
    metric: str
    difference: float
    standard_error: float
    num_users: int
    p_value: float

    @property
    def verdict(self) -> str:
        """``above``, ``below``, or ``not distinguishable from`` within two standard errors."""
        ratio = PairedComparison(
            self.difference, self.standard_error, self.num_users, self.p_value
        ).t_statistic
        if abs(ratio) < 2:
            return "not distinguishable from"
        return "above" if ratio > 0 else "below"


@dataclass(frozen=True)
class DataSummary:
    """A data set before, during and after cleaning.

    Attributes:
        name: Of the data.
        read: What the files hold, bad rows aside.
        steps: Every cleaning step with counts before and after it, in order.
        cleaned: What is left.
        catalogue: Books in the catalogue, read or not.
        density: Share of the pairs of a reader and a read book that are there, 0 to 1.
        books_per_reader: Quantiles by their share, for example ``"0.5"``.
        readers_per_book: The same for the books that somebody read.
        columns: Which optional parts there are: rating, timestamp, text, cover and so on.
        notes: What a person should know, one sentence each.
    """

    name: str
    raw_counts: Counts
    cleaning_steps: list[CleaningStep]
    clean_counts: Counts
    catalog_items: int
    density: float
    items_per_user: dict[str, float]
    users_per_item: dict[str, float]
    columns: list[str]
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """As the fields stand."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class ModelTable:
    """Models measured on the same readers, without a file for the app among them."""

    dataset: DatasetResult
    models: list[ModelResult]
    comparisons: list[ComparisonResult]
    environment: dict[str, str] = field(default_factory=dict)
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Version first, then as the fields stand."""
        values = dataclasses.asdict(self)
        return {"version": values.pop("version"), **values}


@dataclass(frozen=True)
class CandidateResult:
    """A student that was tried within the byte budget.

    Attributes:
        kind: Its family.
        setting: What was set.
        bytes: Of its int8 weights.
        validation_ndcg: NDCG@10 of the validation readers, with these weights.
        chosen: Whether it became the run's student.
    """

    kind: str
    description: str
    bytes: int
    validation_ndcg: float
    is_chosen: bool = False


@dataclass(frozen=True)
class Results:
    """Everything that a run measured.

    Attributes:
        dataset: What it was measured on.
        models: Baselines, teachers, and the student alone and distilled.
        artifacts: Every .tflite.
        comparisons: Paired differences.
        chosen: The artifact in the bundle.
        tried: Students that validation chose among; empty where the student was given.
        environment: Versions.
        version: Of this form.
    """

    dataset: DatasetResult
    models: list[ModelResult]
    artifacts: list[Artifact]
    comparisons: list[ComparisonResult]
    chosen: str
    candidate_students: list[CandidateResult] = field(default_factory=list)
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
    def shipped_artifact(self) -> Artifact:
        """The artifact in the bundle."""
        return next(one for one in self.artifacts if one.name == self.chosen)

"""The results of a run (results.json): the data of the tables, the model card and report.html."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_tf import atomic
from kd_tf.data.clean import CleaningStep
from kd_tf.data.id_match import IdMatch
from kd_tf.data.interactions import Counts
from kd_tf.evaluation.significance import PairedComparison, compute_p_value
from kd_tf.evaluation.slices import HIDDEN_ITEMS

if TYPE_CHECKING:  # importing TensorFlow would slow down `kd-tf baselines`
    from kd_tf.tflite.artifact import Artifact

VERSION = 2
"""Version of the format; it rises when a key is renamed or removed."""
FILE = "results.json"

MIN_TEST_USERS = 30
"""Results of fewer test users come with a warning."""

MAX_P_VALUE = 0.05
"""p-value from which on a difference may be chance."""


@dataclass(frozen=True)
class DatasetResult:
    """The data set of a run and how it was split.

    Attributes:
        name: Name of the data set.
        users: Number of users after cleaning.
        items: Number of items in the catalog.
        interactions: Number of interactions after cleaning.
        protocol: Split protocol, for example ``unseen-users``.
        seed: Random seed of the split.
        train_users: Number of training users.
        validation_users: Number of validation users.
        test_users: Number of test users.
        cleaning: Name, and counts before and after, of each cleaning step (`CleaningStep`).
        notes: Notes on the data, one sentence each.
        candidates: ``full`` if the whole catalog is ranked, ``cold`` if only the items are that the
            protocol hides from training, or ``sampled:N`` if held-out items are ranked among N
            sampled ones.

    Example:
        >>> dataset = DatasetResult(
        ...     name="loans",
        ...     users=3000,
        ...     items=2000,
        ...     interactions=81_234,
        ...     protocol="unseen-users",
        ...     seed=42,
        ...     train_users=2100,
        ...     validation_users=300,
        ...     test_users=600,
        ...     cleaning=[],
        ...     notes=[],
        ... )
        >>> dataset.candidates
        'full'
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

    @property
    def test_size(self) -> str:
        """What metrics are measured on, for people."""
        return f"{self.test_users:,} test user{'' if self.test_users == 1 else 's'}"

    @property
    def caution(self) -> str | None:
        """What metrics of so few test users are worth, in a sentence; None if there are enough."""
        return describe_few_users(self.test_users)


def describe_few_users(num_test_users: int) -> str | None:
    """Says what metrics of few test users are worth; None if there are enough.

    Example:
        >>> describe_few_users(1)
        'measured on 1 test user: the figures say nothing by themselves'
    """
    if num_test_users == 0:
        return "no test user: nothing can be measured, so there are no metrics"
    if num_test_users == 1:
        return "measured on 1 test user: the figures say nothing by themselves"
    if num_test_users < MIN_TEST_USERS:
        return (
            f"measured on {num_test_users} test users: too few to tell which model is better; "
            "differences may be chance"
        )
    return None


@dataclass(frozen=True)
class ModelResult:
    """A baseline, teacher or student, evaluated on the test users.

    Attributes:
        name: Name of the model, for example ``student-distilled``.
        role: ``baseline``, ``teacher`` or ``student``.
        kind: Name of the architecture, for example ``mlp``.
        parameters: Number of stored parameters.
        bytes: Their size in memory; for a student, in an int8 file.
        metrics: Metrics by name, for example ``ndcg@10``; none without test users.
        train_seconds: Wall time of training, including validation.
        intervals: 95 % bootstrap confidence intervals of those metrics that are means over users;
            none with fewer than two test users.
        slices: By name of the slice, the number of users ``num_users`` (in the ranking task that of
            rows, ``num_rows``) and their ``metrics``.
        standard_deviations: Standard deviations of the metrics over several training runs; empty
            for a single run.
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
    """Paired difference of two models over the test users: `model` minus `reference`.

    Attributes:
        model: Name of the model.
        reference: Name of the model that it is compared with.
        metric: Name of the compared metric.
        difference: Mean difference.
        standard_error: Standard error of the mean difference.
        num_users: Number of users that both models were evaluated on.
        p_value: p-value of a two-sided paired t-test, adjusted by Holm's method if several models
            are compared with one.

    Example:
        >>> ComparisonResult("mlp", "popularity", "ndcg@10", 0.03, 0.01, 600, 0.003).verdict
        'above'
        >>> ComparisonResult("mlp", "item-knn", "ndcg@10", 0.01, 0.01, 600, 0.32).verdict
        'not distinguishable from'
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
        """``above``, ``below``, or ``not distinguishable from`` where there is a `doubt`."""
        if self.doubt:
            return "not distinguishable from"
        return "above" if self.difference > 0 else "below"

    @property
    def doubt(self) -> str | None:
        """Why the difference may be chance, for people; None where that is unlikely.

        Two standard errors are enough for many users. Of few, the paired t-test (unadjusted) has
        to be significant too.
        """
        t_statistic = PairedComparison(
            self.difference, self.standard_error, self.num_users, self.p_value
        ).t_statistic
        if abs(t_statistic) < 2:
            return "less than two standard errors"
        p_value = compute_p_value(self.difference, self.standard_error, self.num_users)
        return "too few users" if p_value >= MAX_P_VALUE else None


@dataclass(frozen=True)
class DataSummary:
    """A data set before, during and after cleaning.

    Attributes:
        name: Name of the data set.
        raw_counts: Counts of the files' rows, without malformed rows.
        cleaning_steps: Each cleaning step with the counts before and after it, in order.
        clean_counts: Counts after cleaning.
        catalog_items: Number of items in the catalog, including those without interactions.
        density: Fraction of all user-item pairs that have an interaction, 0 to 1; items without
            interactions are not counted.
        items_per_user: Quantiles of the number of items per user, for example under ``"0.5"``.
        users_per_item: The same of the number of users per item with interactions.
        columns: Optional columns that the data has: rating, timestamp, text, cover and so on.
        notes: Notes on the data, one sentence each.
        id_match: How many items with interactions are in the item table; None without one.
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
    id_match: IdMatch | None = None

    def to_json(self) -> dict[str, Any]:
        """Converts the summary to a dictionary for JSON, with the field names as keys."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class ModelTable:
    """Models evaluated on the same test users, without exported files.

    Attributes:
        dataset: The data set.
        models: Results of the models.
        comparisons: Paired differences between models.
        environment: Versions of Python and the libraries, and the machine.
        version: Version of the format.
    """

    dataset: DatasetResult
    models: list[ModelResult]
    comparisons: list[ComparisonResult]
    environment: dict[str, str] = field(default_factory=dict)
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Converts the table to a dictionary for JSON: the version, then the fields."""
        values = dataclasses.asdict(self)
        return {"version": values.pop("version"), **values}


@dataclass(frozen=True)
class CandidateResult:
    """A student that was tried within the byte budget.

    Attributes:
        kind: Name of its architecture, for example ``mlp``.
        description: Its settings, for people.
        bytes: Size of its weights in an int8 file.
        validation_ndcg: NDCG@10 on the validation users, with these weights.
        is_chosen: Whether it became the student of the run.
    """

    kind: str
    description: str
    bytes: int
    validation_ndcg: float
    is_chosen: bool = False


@dataclass(frozen=True)
class Results:
    """All results of a run.

    Attributes:
        dataset: The data set.
        models: Baselines, teachers, and the students with and without distillation.
        artifacts: The exported .tflite files.
        comparisons: Paired differences between models.
        chosen: Name of the artifact in the bundle.
        candidate_students: Students that were compared on the validation users; empty if the
            configuration set the student.
        environment: Versions of Python and the libraries, and the machine.
        version: Version of the format.
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
        """Converts the results to a dictionary for JSON: the version, then the fields."""
        values = dataclasses.asdict(self)
        return {"version": values.pop("version"), **values}

    def write(self, folder: Path) -> None:
        """Writes results.json into a run's folder atomically."""
        atomic.write_json(folder / FILE, self.to_json())

    @property
    def has_hidden_items(self) -> bool:
        """Whether training hid books whose figures are a part of all others.

        With the candidates ``cold`` all figures are of such books.
        """
        return HIDDEN_ITEMS in self.shipped_artifact.slices and self.dataset.candidates == "full"

    @staticmethod
    def get_hidden_ndcg(result: ModelResult | Artifact) -> float:
        """Returns NDCG@10 of the books that training hid."""
        return float(result.slices[HIDDEN_ITEMS]["metrics"]["ndcg@10"])

    @property
    def new_items(self) -> str | None:
        """Says how well books are recommended that training hid, for people; None if it hid none.

        The teacher is the last one.
        """
        if not self.has_hidden_items:
            return None
        file = self.shipped_artifact
        teacher = [model for model in self.models if model.role == "teacher"][-1]
        baselines = [model for model in self.models if model.role == "baseline"]
        best_baseline = max(baselines, key=self.get_hidden_ndcg)
        num_users = file.slices[HIDDEN_ITEMS]["num_users"]
        return (
            "New books, which training did not see, ranked among all: NDCG@10 "
            f"{self.get_hidden_ndcg(file):.4f} ({file.name}.tflite), "
            f"{self.get_hidden_ndcg(teacher):.4f} (teacher), "
            f"{self.get_hidden_ndcg(best_baseline):.4f} (best baseline, {best_baseline.name}), "
            f"on {num_users:,} test user{'' if num_users == 1 else 's'} with such books"
        )

    @property
    def shipped_artifact(self) -> Artifact:
        """The artifact in the bundle."""
        return next(artifact for artifact in self.artifacts if artifact.name == self.chosen)

"""The configuration of a run: TOML in, validated settings out.

Everything is validated before any data is read, so a wrong setting stops a run at once.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kd_tf import atomic
from kd_tf.errors import UserError

Share = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    """Base of all sections: immutable, and unknown keys are errors."""

    # Otherwise a misspelt key would silently leave a default in place.
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Section):
    """Column names of an interactions table in CSV, TSV or Parquet."""

    user: str = "user"
    item: str = "item"
    rating: str | None = None
    timestamp: str | None = None


class ItemColumns(_Section):
    """Column names of an item table; only the ID column is required."""

    item_id: str = "item"
    title: str | None = None
    authors: str | None = None
    series: str | None = None
    genre: str | None = None
    year: str | None = None
    text: str | None = None
    cover: str | None = None
    isbn: str | None = None


DatasetName = Literal[
    "synthetic",
    "csv",
    "goodbooks",
    "movielens",
    "book-crossing",
    "amazon-reviews",
    "netflix-prize",
    "gowalla",
    "user-item-lists",
]


class Data(_Section):
    """The data set and where its files are.

    Example:
        >>> Data(dataset="movielens", data_dir="ml-1m.zip").has_published_split
        False
        >>> Data(dataset="csv", train="train.csv", test="test.csv").has_published_split
        True
    """

    dataset: DatasetName = Field(
        "synthetic", description="name of the data set (docs/data.md); csv for your own tables"
    )
    data_dir: Path | None = Field(
        None, description="published data sets: their folder, archive or file"
    )
    interactions: Path | None = Field(None, description="csv: table of interactions")
    train: Path | None = Field(
        None, description="csv, user-item-lists: training part of a published split"
    )
    validation: Path | None = Field(
        None, description="csv, user-item-lists: validation part; optional"
    )
    test: Path | None = Field(None, description="csv, user-item-lists: test part")
    items: Path | None = Field(None, description="csv: table of items")
    columns: Columns = Columns()
    item_columns: ItemColumns = ItemColumns()
    header: bool | None = Field(
        None, description="csv: whether the first line names the columns; default: detected"
    )
    on_bad_rows: Literal["stop", "skip"] = Field(
        "stop", description="stop: error with file and line; skip: leave them out and count them"
    )
    amazon_release: Literal["2014", "2018", "2023"] | None = Field(
        None, description="amazon-reviews: only needed if the files do not show it"
    )
    book_crossing_feedback: Literal["all", "explicit", "implicit"] = Field(
        "all", description="book-crossing: ratings from 1 to 10, rating 0, or both"
    )
    synthetic_items: PositiveInt = Field(2000, description="synthetic: number of items")
    synthetic_users: PositiveInt = Field(3000, description="synthetic: number of users")

    @property
    def has_published_split(self) -> bool:
        """Whether the files are a published train and test split."""
        return self.train is not None

    @model_validator(mode="after")
    def _check_files(self) -> Data:
        can_be_split = self.dataset in ("csv", "user-item-lists")
        if not can_be_split and (self.train or self.validation or self.test):
            raise ValueError(
                f"dataset {self.dataset} has no published split; train, validation and test are "
                "for csv and user-item-lists"
            )
        if (self.train is None) != (self.test is None) or (self.validation and not self.train):
            raise ValueError("a published split needs train and test; validation is optional")
        if self.dataset == "csv" and (self.interactions is None) == (self.train is None):
            raise ValueError("dataset csv needs either interactions (one table) or train and test")
        if self.dataset == "user-item-lists" and self.train is None:
            raise ValueError("dataset user-item-lists needs train and test")
        needs_data_dir = self.dataset not in ("synthetic", "csv", "user-item-lists")
        if needs_data_dir and self.data_dir is None:
            raise ValueError(f"dataset {self.dataset} needs data_dir, the folder of its files")
        return self


class Cleaning(_Section):
    """Rules for cleaning the interactions. A published split is never cleaned."""

    since: str | None = Field(None, description="drop rows before this time (seconds or ISO 8601)")
    until: str | None = Field(None, description="drop rows from this time on")
    min_rating: float | None = Field(
        None, description="drop rows rated lower; default for goodbooks: 4"
    )
    weights: Literal["none", "rating", "log", "count"] = Field(
        "none",
        description="weight of a row: none (all equal), rating, log (1 + ln(1 + rating)), "
        "count (number of repeats)",
    )
    duplicates: Literal["last", "max", "mean", "error"] = Field(
        "last", description="which row to keep when a user has an item several times"
    )
    max_user_quantile: Share | None = Field(
        None, description="drop users with more items than this quantile (robots)"
    )
    min_user_interactions: Annotated[int, Field(ge=2)] = Field(
        5, description="drop users with fewer items"
    )
    min_item_interactions: PositiveInt = Field(
        1, description="drop items with fewer users; both minimums are repeated until they hold"
    )


class Split(_Section):
    """The evaluation protocol: which users and items are held out.

    Example:
        >>> split = Split(protocol="temporal", test_share=0.1)
        >>> split.test_share, split.validation_share
        (0.1, 0.1)
    """

    protocol: Literal["unseen-users", "leave-one-out", "temporal", "random", "published"] | None = (
        Field(None, description="default: published if the files have a split, else unseen-users")
    )
    test_users: PositiveInt | None = Field(
        None, description="unseen-users: number of test users; default: a fifth, at most 5000"
    )
    validation_users: PositiveInt | None = Field(
        None, description="unseen-users: default: half of test_users"
    )
    held_out_share: Share = Field(
        0.2, description="unseen-users: share of a user's items that is held out"
    )
    test_share: Share = Field(0.2, description="random, temporal: share of interactions")
    validation_share: Share = Field(0.1, description="random, temporal: share of interactions")
    show_validation: bool = Field(
        False, description="published: validation items are part of the history at test time"
    )
    num_folds: Annotated[int, Field(ge=3)] | None = Field(
        None,
        description="unseen-users, random: k of k-fold cross-validation (kd-tf baselines only)",
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Split:
        if self.test_share + self.validation_share >= 1:
            raise ValueError(
                "test_share + validation_share must be below 1: nothing is left to train on"
            )
        if self.num_folds is not None and self.protocol not in (None, "unseen-users", "random"):
            raise ValueError(
                f"num_folds needs protocol unseen-users or random, not {self.protocol}"
            )
        return self


class Evaluation(_Section):
    """How models are evaluated.

    Example:
        >>> Evaluation(candidates="sampled:99").ks
        (10, 20)
    """

    candidates: Annotated[str, Field(pattern=r"^(full|sampled:[1-9][0-9]*)$")] = Field(
        "full",
        description="full (rank all items), or sampled:N (rank among N sampled unseen items)",
    )
    ks: tuple[PositiveInt, ...] = Field((10, 20), description="cutoffs of the ranking metrics")

    @model_validator(mode="after")
    def _check_ks(self) -> Evaluation:
        if not self.ks or len(set(self.ks)) != len(self.ks):
            raise ValueError(f"ks needs at least one cutoff and no duplicates, not {self.ks}")
        return self


MATRIX_FACTORIZATION = "matrix-factorization"
"""The architecture that knows only training users, by ID; for `kd-tf compare` only."""

TeacherArchitecture = Literal[
    "gru",
    "cnn",
    "transformer",
    "vae",
    "two-tower",
    "local-ridge",
    "linear-autoencoder",
    "ials",
    "spectral",
]


class TrainingSettings(_Section):
    """Training settings of a model; the defaults are for students."""

    epochs: PositiveInt = Field(60, description="maximum number of epochs")
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    batch_size: PositiveInt | None = Field(
        None, description="default: an eighth of the training users, 32 to 512"
    )
    patience: PositiveInt = Field(8, description="early stopping: validations without improvement")


class TeacherTrainingSettings(TrainingSettings):
    """Training settings of a teacher: fewer epochs and a smaller learning rate."""

    epochs: PositiveInt = Field(30, description="maximum number of epochs")
    learning_rate: Annotated[float, Field(gt=0)] = 0.0025
    patience: PositiveInt = Field(5, description="early stopping: validations without improvement")


class Teacher(_Section):
    """The large model that is distilled."""

    architecture: Literal[TeacherArchitecture, "ensemble", "matrix-factorization"] = Field(
        "ensemble",
        description="docs/teachers.md; ensemble: weighted average of `members`; "
        "matrix-factorization: for kd-tf compare only",
    )
    members: tuple[TeacherArchitecture, ...] | None = Field(
        None,
        description="ensemble: default: local-ridge, ials (up to 300,000 items), spectral (up to "
        "30,000), and cnn where it trains quickly",
    )
    objective: Literal["auto", "full-softmax", "in-batch"] = Field(
        "auto", description="training loss; auto: in-batch above 50,000 items"
    )
    embedding_dim: PositiveInt = Field(512, description="of teachers that are trained")
    training: TeacherTrainingSettings = TeacherTrainingSettings()


class Student(_Section):
    """The small model that is shipped.

    Example:
        >>> student = Student(architecture="mlp", training={"epochs": 20})
        >>> student.embedding_dim, student.training.epochs, student.training.learning_rate
        (32, 20, 0.01)
    """

    architecture: Literal[
        "auto",
        "mlp",
        "shallow-cnn",
        "logistic",
        "two-tower",
        "multi-interest",
        "neighbours",
        "item-kernel",
        "low-rank",
        "fold-in",
        "low-rank-residual",
        "kernel-residual",
        "fold-in-residual",
        "matrix-factorization",
    ] = Field(
        "auto",
        description="docs/students.md; auto: the best within max_bytes; matrix-factorization: for "
        "kd-tf compare only",
    )
    max_bytes: PositiveInt | None = Field(
        None,
        description="of the int8 weights; default: 1,000,000, above 25,000 items 40 per item",
    )
    embedding_dim: PositiveInt = Field(
        32,
        description="mlp, shallow-cnn, logistic, two-tower, multi-interest; others fill max_bytes",
    )
    quantization_aware: bool = Field(
        False, description="trained students: quantization-aware training of the tables"
    )
    fine_tuning_epochs: Annotated[int, Field(ge=0)] = Field(
        2, description="warm-started students: kept only if validation NDCG@10 improves"
    )
    training: TrainingSettings = TrainingSettings()


class LossSettings(_Section):
    """Settings of one distillation loss that replace its defaults."""

    weight: Annotated[float, Field(ge=0)] | None = Field(
        None, description="weight of this loss; default: its own, docs/distillation.md"
    )
    student_loss_weight: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="replaces distillation.student_loss_weight"
    )
    arguments: dict[str, float | int | bool | str] = Field(
        {}, description="keyword arguments of its class; docs/distillation.md"
    )


class Distillation(_Section):
    """How the student is distilled.

    The total loss is ``w * student_loss + (1 - w) * sum of weight * distillation_loss`` with
    ``w = student_loss_weight``.

    Example:
        >>> distillation = Distillation(
        ...     losses=("soft-targets", "rrd"),
        ...     loss_settings={"rrd": {"weight": 0.5}},
        ... )
        >>> distillation.student_loss_weight, distillation.loss_settings["rrd"].weight
        (0.3, 0.5)
    """

    losses: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("soft-targets",),
        description="distillation losses, docs/distillation.md; your own as module:Class",
    )
    student_loss_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3, description="weight of the loss on ground-truth items"
    )
    weighting: Literal["constant", "uncertainty", "gradient-norm", "confidence"] = Field(
        "constant", description="how student and distillation losses are weighted"
    )
    curriculum: bool = Field(False, description="easiest examples first")
    teacher_combination: Literal["single", "average", "weighted", "confidence"] = Field(
        "single",
        description="single: the teacher; else a mixture of the ensemble's members: the mean of "
        "their probabilities, weighted by validation NDCG@10, or weighted per user by confidence",
    )
    assistant_width_multiplier: Annotated[int, Field(ge=0)] = Field(
        0,
        description="width of a teacher assistant (TAKD) as a multiple of the student's; 0: no "
        "assistant",
    )
    augmentation: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0,
        description="synthetic histories for the teacher to label, as a share of the users: half "
        "item dropout, half mixup",
    )
    top_k: PositiveInt = Field(100, description="how many of the teacher's top items are kept")
    loss_settings: dict[str, LossSettings] = Field(
        {}, description="settings of single losses by name"
    )


class Examples(_Section):
    """How training examples are sampled from the training histories."""

    num_passes: PositiveInt = Field(8, description="examples per user")
    num_targets: PositiveInt | None = Field(
        None, description="targets per example; default: 4 with timestamps, 16 without"
    )


class Pruning(_Section):
    """Magnitude pruning of the student's dense core.

    Example:
        >>> pruning = Pruning(sparsity=0.75)
        >>> pruning.begin, pruning.end
        (0.2, 0.6)
    """

    sparsity: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="share of zeros at the end; 0: no pruning"
    )
    begin: Share = Field(0.2, description="share of training after which pruning begins")
    end: Share = Field(0.6, description="share of training after which pruning ends")

    @model_validator(mode="after")
    def _check_order(self) -> Pruning:
        if self.begin >= self.end:
            raise ValueError(f"begin must be less than end, not {self.begin} and {self.end}")
        return self


class Export(_Section):
    """The .tflite files to export and the one to bundle."""

    max_length: PositiveInt | None = Field(
        None,
        description="L, the number of newest items a model sees; default: enough for 95 % of the "
        "training users, 50 to 200",
    )
    recommendations: PositiveInt = Field(50, description="K, the length of a recommendation list")
    candidates: PositiveInt = Field(
        100, description="C, the number of items that one call of score takes"
    )
    quantizations: (
        tuple[Literal["float32", "float16", "dynamic-int8", "int8", "int4"], ...] | None
    ) = Field(
        None,
        description="default: all that the student supports; int4 only if parity holds",
    )
    catalog_search: Literal["auto", "exact", "two-stage"] = Field(
        "auto",
        description="two-stage: scores only a few clusters of similar items, for students with one "
        "tied table; auto: two-stage from 200,000 items if its recall is at least .95",
    )
    runtime: Literal["any", "android-2.16", "litert"] = Field(
        "any",
        description="where the files must run: android-2.16 (the newest TensorFlow Lite on Maven "
        "Central), litert, or both (any)",
    )
    bundle_quantization: Literal["auto", "float32", "float16", "dynamic-int8", "int8", "int4"] = (
        Field(
            "auto",
            description="of the bundled file; auto: the smallest with validation NDCG@10 within "
            "1 % of the best",
        )
    )

    @model_validator(mode="after")
    def _check_quantizations(self) -> Export:
        if self.quantizations is None:
            return self
        if not self.quantizations:
            raise ValueError("quantizations needs at least one entry")
        if self.bundle_quantization not in ("auto", *self.quantizations):
            raise ValueError(
                f"bundle_quantization is {self.bundle_quantization}, which is not among "
                f"quantizations {self.quantizations}"
            )
        return self


class Config(_Section):
    """All settings of a run.

    Example:
        >>> config = from_values({"student": {"architecture": "mlp", "embedding_dim": 16}})
        >>> config.student.embedding_dim, config.split.protocol, config.seed
        (16, None, 42)
        >>> from_values({"student": {"embedding_dim": 0}})
        Traceback (most recent call last):
        ...
        kd_tf.errors.UserError: configuration: student.embedding_dim: Input should be ...
    """

    name: str = Field("synthetic", description="name of the run in tables and reports")
    seed: Annotated[int, Field(ge=0)] = Field(
        42, description="random seed of synthetic data, split, sampled candidates and training"
    )
    data: Data = Data()
    cleaning: Cleaning = Cleaning()
    split: Split = Split()
    evaluation: Evaluation = Evaluation()
    examples: Examples = Examples()
    teacher: Teacher = Teacher()
    student: Student = Student()
    distillation: Distillation = Distillation()
    pruning: Pruning = Pruning()
    export: Export = Export()


def from_values(values: dict[str, Any], *, where: str = "configuration") -> Config:
    """Validates nested settings.

    Args:
        values: Sections and their keys, as a TOML file has them.
        where: The source that an error message names.

    Raises:
        UserError: A key is unknown or a value is out of range; the message lists all of them.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'configuration'}: "
            f"{fault['msg'].removeprefix('Value error, ')}"
            + (f" (got {fault['input']!r})" if fault["loc"] and fault["type"] != "missing" else "")
            for fault in error.errors()
        ]
        raise UserError(
            "; ".join(lines),
            where=where,
            hint="docs/config.md lists every setting and its default.",
        ) from error


def read(path: Path) -> Config:
    """Reads and validates a TOML file.

    Raises:
        UserError: The file is missing, is not TOML, or a setting is wrong.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError("file not found", where=str(path)) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(
            f"not a valid TOML file: {error}", where=str(path), hint="See docs/config.md."
        ) from error
    return from_values(values, where=str(path))


def write(config: Config, path: Path) -> None:
    """Writes the configuration with all defaults as TOML, enough to repeat the run."""
    values = config.model_dump(mode="json", exclude_none=True)
    atomic.write_text(path, tomli_w.dumps(values))

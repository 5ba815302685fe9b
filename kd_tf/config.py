"""One configuration for a whole run, validated before anything is computed."""

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
    # A misspelt key must not silently leave a default in place.
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Section):
    """Column names of a user's own interactions table."""

    user: str = "user"
    item: str = "item"
    rating: str | None = None
    timestamp: str | None = None


class ItemColumns(_Section):
    """Column names of a user's own book table; only the id must be there."""

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
    """Where the interactions come from."""

    dataset: DatasetName = Field(
        "synthetic", description="which reader (docs/data.md); csv is for tables of your own"
    )
    data_dir: Path | None = Field(
        None, description="published data sets: the folder, archive or file"
    )
    interactions: Path | None = Field(None, description="csv: the table of who read what")
    train: Path | None = Field(None, description="csv, user-item-lists: a published split")
    validation: Path | None = Field(None, description="csv, user-item-lists: may be missing")
    test: Path | None = Field(None, description="csv, user-item-lists: a published split")
    items: Path | None = Field(None, description="csv: the table of books")
    columns: Columns = Columns()
    item_columns: ItemColumns = ItemColumns()
    header: bool | None = Field(
        None, description="csv: whether the first line names the columns; found out by default"
    )
    on_bad_rows: Literal["stop", "skip"] = Field(
        "stop", description="stop names file and line; skip counts and lists"
    )
    amazon_release: Literal["2014", "2018", "2023"] | None = Field(
        None, description="amazon-reviews: only where the files do not tell"
    )
    book_crossing_feedback: Literal["all", "explicit", "implicit"] = Field(
        "all", description="book-crossing: ratings from 1 to 10, rating 0, or both"
    )
    synthetic_items: PositiveInt = 2000
    synthetic_users: PositiveInt = 3000

    @property
    def has_published_split(self) -> bool:
        """Whether the files come as a published split."""
        return self.train is not None

    @model_validator(mode="after")
    def _check_files(self) -> Data:
        divided = self.dataset in ("csv", "user-item-lists")
        if not divided and (self.train or self.validation or self.test):
            raise ValueError(
                f"dataset {self.dataset} is not divided; train, validation and test belong to csv "
                "and user-item-lists"
            )
        if (self.train is None) != (self.test is None) or (self.validation and not self.train):
            raise ValueError("a published split needs train and test (and may have validation)")
        if self.dataset == "csv" and (self.interactions is None) == (self.train is None):
            raise ValueError(
                "dataset csv needs interactions, the table of who read what, or train and test"
            )
        if self.dataset == "user-item-lists" and self.train is None:
            raise ValueError("dataset user-item-lists needs train and test")
        needs_place = self.dataset not in ("synthetic", "csv", "user-item-lists")
        if needs_place and self.data_dir is None:
            raise ValueError(f"dataset {self.dataset} needs data_dir, where its files are")
        return self


class Cleaning(_Section):
    """Which interactions count; a published split is taken as it is."""

    since: str | None = Field(None, description="seconds or ISO 8601; older rows do not count")
    until: str | None = Field(None, description="rows from this time on do not count")
    min_rating: float | None = Field(
        None, description="rows rated lower do not count; goodbooks: 4 unless given"
    )
    weights: Literal["none", "rating", "log", "count"] = Field(
        "none", description="how much a row counts: equal, its rating, 1 + ln(1 + rating), repeats"
    )
    duplicates: Literal["last", "max", "mean", "error"] = Field(
        "last", description="what stays of several rows of one reader and one book"
    )
    max_user_quantile: Share | None = Field(
        None, description="readers with more books than this quantile of all go (robots)"
    )
    min_user_interactions: Annotated[int, Field(ge=2)] = 5
    min_item_interactions: PositiveInt = Field(
        1, description="with min_user_interactions a core, iterated until both hold"
    )


class Split(_Section):
    """Who is held out, and what of them."""

    protocol: Literal["unseen-users", "leave-one-out", "temporal", "random", "given"] | None = (
        Field(None, description="default: given where the files are divided, else unseen-users")
    )
    test_users: PositiveInt | None = Field(
        None, description="unseen-users: a fifth of the readers by default, at most 5000"
    )
    validation_users: PositiveInt | None = Field(
        None, description="unseen-users: half of test_users by default"
    )
    held_out_share: Share = Field(0.2, description="unseen-users: share of a reader's books")
    test_share: Share = Field(0.2, description="random, temporal: share of the interactions")
    validation_share: Share = Field(0.1, description="random, temporal: the same for choosing")
    show_validation: bool = Field(
        False, description="given: the validation books are history when the test is measured"
    )
    num_folds: Annotated[int, Field(ge=3)] | None = Field(
        None, description="unseen-users, random: k-fold cross-validation (kd-tf baselines only)"
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Split:
        if self.test_share + self.validation_share >= 1:
            raise ValueError("test_share and validation_share must leave something to learn from")
        if self.num_folds is not None and self.protocol not in (None, "unseen-users", "random"):
            raise ValueError(f"there are no folds for protocol {self.protocol}")
        return self


class Evaluation(_Section):
    """How models are measured."""

    candidates: Annotated[str, Field(pattern=r"^(full|sampled:[1-9][0-9]*)$")] = Field(
        "full", description="full, or sampled:N: among N books that the reader did not read"
    )
    ks: tuple[PositiveInt, ...] = Field((10, 20), description="lengths of the lists")

    @model_validator(mode="after")
    def _check_ks(self) -> Evaluation:
        if not self.ks or len(set(self.ks)) != len(self.ks):
            raise ValueError(f"ks must name at least one length, each once, not {self.ks}")
        return self


MATRIX_FACTORIZATION = "matrix-factorization"
"""Knows readers by number and nobody else: `kd-tf compare` alone can use it."""

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
    """How long and how fast a model learns; the defaults are the student's."""

    epochs: PositiveInt = 60
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    batch_size: PositiveInt | None = Field(
        None, description="default: an eighth of the training readers, 32 to 512"
    )
    patience: PositiveInt = 8


class TeacherTrainingSettings(TrainingSettings):
    """The same for a large model, which needs fewer and smaller steps."""

    epochs: PositiveInt = 30
    learning_rate: Annotated[float, Field(gt=0)] = 0.0025
    patience: PositiveInt = 5


class Teacher(_Section):
    """The large model."""

    architecture: Literal[TeacherArchitecture, "ensemble", "matrix-factorization"] = Field(
        "ensemble",
        description="docs/teachers.md; ensemble: `members` with fitted weights; "
        "matrix-factorization: for kd-tf compare only",
    )
    members: tuple[TeacherArchitecture, ...] | None = Field(
        None,
        description="ensemble: by default local-ridge, ials up to 300,000 books, and spectral up "
        "to 30,000",
    )
    objective: Literal["auto", "full-softmax", "in-batch"] = Field(
        "auto", description="auto: in-batch for catalogues of more than 50,000 books"
    )
    embedding_dim: PositiveInt = 512
    training: TeacherTrainingSettings = TeacherTrainingSettings()


class Student(_Section):
    """The small model that is shipped."""

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
        description="docs/students.md; auto tries them within max_bytes; matrix-factorization: "
        "for kd-tf compare only",
    )
    max_bytes: PositiveInt | None = Field(
        None,
        description="of the int8 weights; default: 1,000,000, beyond 25,000 books 40 each",
    )
    embedding_dim: PositiveInt = Field(
        32,
        description="mlp, shallow-cnn, logistic, two-tower, multi-interest; others fill max_bytes",
    )
    quantization_aware: bool = Field(
        False, description="students that are trained: with tables rounded to what a file holds"
    )
    fine_tuning_epochs: Annotated[int, Field(ge=0)] = Field(
        2, description="students that start from what is known: kept only where validation gains"
    )
    training: TrainingSettings = TrainingSettings()


class LossSettings(_Section):
    """One distillation method, where its defaults do not do."""

    weight: Annotated[float, Field(ge=0)] | None = Field(
        None, description="of its loss; default: the method's own, docs/distillation.md"
    )
    student_loss_weight: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="instead of distillation.alpha"
    )
    arguments: dict[str, float | int | bool | str] = Field(
        {}, description="what it is made with; docs/distillation.md"
    )


class Distillation(_Section):
    """What the student is told: alpha * hard + (1 - alpha) * sum of weight * soft."""

    losses: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("soft-targets",),
        description="the methods, docs/distillation.md; one of your own as module:Class",
    )
    student_loss_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3, description="of the hard loss"
    )
    weighting: Literal["fixed", "uncertainty", "gradient-norm", "confidence"] = Field(
        "fixed", description="how hard and soft losses are weighed"
    )
    curriculum: bool = Field(False, description="the easiest examples first")
    teacher_combination: Literal["one", "average", "weighted", "confidence"] = Field(
        "one",
        description="who is asked: the teacher, or a panel of the ensemble's members: the mean of "
        "their probabilities, weighed by validation, or for each reader by how sure they are",
    )
    assistant_width_multiplier: Annotated[int, Field(ge=0)] = Field(
        0,
        description="so many times as wide as the student is an assistant, taught first, that "
        "teaches it then; 0: none",
    )
    augmentation: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0,
        description="histories that nobody has, for the teacher to label, as a share of the "
        "readers: half thinned, half blended",
    )
    top_k: PositiveInt = Field(100, description="how many of the teacher's best books are kept")
    loss_settings: dict[str, LossSettings] = Field(
        {}, description="settings of single methods by name, where their defaults do not do"
    )


class Examples(_Section):
    """What is cut out of the training histories."""

    num_passes: PositiveInt = Field(8, description="examples a reader gives")
    num_targets: PositiveInt | None = Field(
        None, description="books to find an example; default: 4 in order of time, 16 without"
    )


class Pruning(_Section):
    """Zeros in the student's dense core; sparsity 0 leaves it whole."""

    sparsity: Annotated[float, Field(ge=0, lt=1)] = 0.5
    begin: Share = Field(0.2, description="share of the training after which pruning begins")
    end: Share = Field(0.6, description="share of the training after which it is done")

    @model_validator(mode="after")
    def _check_order(self) -> Pruning:
        if self.begin >= self.end:
            raise ValueError(f"begin must be before end, not {self.begin} and {self.end}")
        return self


class Export(_Section):
    """The .tflite files and the one that is bundled."""

    max_length: PositiveInt | None = Field(
        None,
        description="L, the newest books a model sees; default: what 95 % of the readers who are "
        "learnt from need, 50 to 200",
    )
    recommendations: PositiveInt = Field(50, description="K, how many books an answer has")
    candidates: PositiveInt = Field(100, description="C, how many books are scored at once")
    quantizations: (
        tuple[Literal["float32", "float16", "dynamic-int8", "int8", "int4"], ...] | None
    ) = Field(
        None,
        description="default: all that the student has, int4 only where four bits are enough",
    )
    catalog_search: Literal["auto", "exact", "two-stage"] = Field(
        "auto",
        description="two-stage reads a few blocks of alike books, for students with one tied "
        "table; auto: from 200,000 books on, where .95 of the exact list are found",
    )
    runtime: Literal["any", "android-2.16", "litert"] = Field(
        "any",
        description="what the files must run on: the newest TensorFlow Lite for Android on Maven "
        "Central, LiteRT, or any of them",
    )
    bundle_quantization: Literal["auto", "float32", "float16", "dynamic-int8", "int8", "int4"] = (
        Field(
            "auto",
            description="auto: the smallest whose validation NDCG@10 is within 1 % of the best",
        )
    )

    @model_validator(mode="after")
    def _check_quantizations(self) -> Export:
        if self.quantizations is None:
            return self
        if not self.quantizations:
            raise ValueError("variants must name at least one")
        if self.bundle_quantization not in ("auto", *self.quantizations):
            raise ValueError(
                f"ship is {self.bundle_quantization}, which is not among variants {self.quantizations}"
            )
        return self


class Config(_Section):
    """Everything that a run depends on."""

    name: str = Field("synthetic", description="what tables call the run")
    seed: Annotated[int, Field(ge=0)] = Field(
        42, description="of the synthetic data, the split, the drawn candidates and the training"
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

    Raises:
        UserError: A key is unknown or a value is out of range; every one is named.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in one['loc']) or 'configuration'}: "
            f"{one['msg'].removeprefix('Value error, ')}"
            + (f" (given: {one['input']!r})" if one["loc"] and one["type"] != "missing" else "")
            for one in error.errors()
        ]
        raise UserError(
            "; ".join(lines),
            where=where,
            hint="docs/config.md lists every setting and its default.",
        ) from error


def read(path: Path) -> Config:
    """Reads a TOML file.

    Raises:
        UserError: The file is missing, is not TOML, or a setting is wrong.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError("there is no such file", where=str(path)) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(
            f"this cannot be read as TOML: {error}", where=str(path), hint="See docs/config.md."
        ) from error
    return from_values(values, where=str(path))


def write(config: Config, path: Path) -> None:
    """Writes the resolved configuration, enough to repeat the run."""
    values = config.model_dump(mode="json", exclude_none=True)
    atomic.write_text(path, tomli_w.dumps(values))

"""Settings of a run of the ranking task: features in, one probability or rating out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kd_tf.choices import (
    BadRowsRule,
    RankingLossName,
    RankingMember,
    RankingProtocol,
    RankingQuantization,
    RankingStudentName,
    RankingTeacherName,
    ScalingName,
    TimeUnit,
    WeightingName,
)
from kd_tf.config.data import TableFormat
from kd_tf.config.distillation import LossSettings, Pruning
from kd_tf.config.models import TrainingSettings
from kd_tf.config.section import PositiveInt, Section, Share, Text


class RankingTables(Section):
    """The tables of a run of the ranking task, and what their columns mean."""

    interactions: Path | None = Field(
        None, description="table with a row per example; default: a synthetic click log"
    )
    train: Path | None = Field(None, description="training table of a published split")
    validation: Path | None = Field(None, description="its validation table")
    test: Path | None = Field(None, description="its test table")
    label: Text | None = Field(
        None,
        description="column of the label: two values are clicks, more are ratings; default: none, "
        "all rows are positives and `negatives` are drawn",
    )
    threshold: float | None = Field(
        None, description="makes a click of a label of numbers: those not below it"
    )
    positive: Text | None = Field(None, description="makes a click of any label: this value")
    negatives: Annotated[int, Field(ge=0)] = Field(
        0, description="negatives drawn for each row of a table without a label"
    )
    user: Text | None = Field(None, description="column of the user; default: user, user_id, ...")
    item: Text | None = Field(None, description="column of the item; default: item, item_id, ...")
    timestamp: Text | None = Field(
        None, description="column of the time; default: timestamp, time, ..."
    )
    users: Path | None = Field(None, description="table with columns of users, which are joined")
    user_id: Text | None = Field(None, description="its column of the user")
    items: Path | None = Field(None, description="table with columns of items, which are joined")
    item_id: Text | None = Field(None, description="its column of the item")
    format: TableFormat = TableFormat()
    decimal: Literal[".", ","] = Field(".", description="decimal mark of numbers")
    null_values: tuple[str, ...] | None = Field(
        None,
        description="texts that mean missing, beyond blanks; default: NULL, nan and so on",
    )
    time_format: Text | None = Field(None, description="format of times, such as %d.%m.%Y")
    time_unit: TimeUnit = Field("auto", description="what a time that is a number counts")
    where: tuple[Text, ...] = Field((), description="conditions on rows, as COLUMN=VALUE")
    on_bad_rows: BadRowsRule = Field("stop", description="stop, or skip and count them")
    synthetic_impressions: PositiveInt = Field(
        100_000, description="rows of the synthetic click log"
    )

    @model_validator(mode="after")
    def _check_synthetic(self) -> RankingTables:
        changed_names = {
            name
            for name, field in type(self).model_fields.items()
            if getattr(self, name) != field.get_default()
        }
        in_vain = sorted(changed_names - {"synthetic_impressions"})
        if self.is_synthetic and in_vain:
            raise ValueError(
                f"{in_vain[0]} has no effect on the synthetic click log: give a table, interactions"
            )
        if not self.is_synthetic and "synthetic_impressions" in changed_names:
            raise ValueError("synthetic_impressions has no effect on a table")
        return self

    @property
    def is_synthetic(self) -> bool:
        """Whether no table is given."""
        return self.interactions is None and self.train is None


class RankingFeatures(Section):
    """Which columns features are made of, and how; docs/reference/features.md."""

    categorical: tuple[Text, ...] = Field((), description="columns that are categories")
    numeric: tuple[Text, ...] = Field((), description="columns that are numbers")
    multi: tuple[Text, ...] = Field((), description="columns that are lists, such as a|b|c")
    date: tuple[Text, ...] = Field((), description="columns that are times")
    text: tuple[Text, ...] = Field(
        (),
        description="columns of texts, which the teacher text alone reads; default: those that "
        "are sentences",
    )
    encoder: Text = Field(
        "tfidf",
        description="what encodes texts: tfidf, static, minilm, multilingual or the folder of a "
        "model",
    )
    ignore: tuple[Text, ...] = Field((), description="columns that are left out")
    only: tuple[Text, ...] | None = Field(
        None, description="the only columns that features are made of; default: all"
    )
    crosses: tuple[tuple[Text, ...], ...] = Field(
        (), description="combinations of categorical columns"
    )
    scaling: ScalingName = Field("standard", description="of numbers")
    num_buckets: Annotated[int, Field(ge=0)] = Field(
        20, description="ranges of a number, with equally many rows each; 0: none"
    )
    min_count: PositiveInt = Field(2, description="rarer values are unknown")
    max_vocabulary: PositiveInt = Field(50_000, description="columns of more values are hashed")
    hash_buckets: PositiveInt = Field(1 << 16, description="buckets of a hashed column")
    max_list_values: PositiveInt = Field(10, description="values of a list that count")


class RankingSplitSettings(Section):
    """How rows are split into training, validation and test."""

    protocol: RankingProtocol = Field(
        "random",
        description="random, temporal, unseen-users, cold-items, or published with train and test",
    )
    test_share: Share = Field(0.2, description="share of rows, of users, or of items, for test")
    validation_share: Share = Field(0.1, description="the same for validation")
    num_folds: Annotated[int, Field(ge=3)] | None = Field(
        None, description="k of k-fold cross-validation, of which `fold` is tested"
    )
    fold: Annotated[int, Field(ge=0)] = Field(0, description="the fold that is tested, from 0")


class RankingTrainingSettings(TrainingSettings):
    """Training settings of a student of the ranking task."""

    epochs: PositiveInt = Field(30, description="maximum number of epochs")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        0.005, description="highest learning rate of the optimizer"
    )
    l2: Annotated[float, Field(ge=0)] = Field(
        1e-4, description="weight of the squared embeddings of a row in the loss"
    )
    batch_size: PositiveInt | None = Field(
        None, description="default: a hundredth of the training rows, 128 to 4,096"
    )
    patience: PositiveInt = Field(4, description="early stopping: validations without improvement")


class RankingTeacherTraining(RankingTrainingSettings):
    """Training settings of a teacher of the ranking task."""

    epochs: PositiveInt = Field(20, description="maximum number of epochs")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        0.003, description="highest learning rate of the optimizer"
    )


class RankingSampling(Section):
    """How the bayesian-fm is sampled, which has no gradient descent."""

    embedding_dim: PositiveInt = Field(8, description="length of the vectors")
    sweeps: Annotated[int, Field(ge=2)] = Field(150, description="sweeps of the Gibbs sampler")
    samples: PositiveInt = Field(
        50, description="samples whose predictions are averaged; fewer where they would be large"
    )
    history: bool | None = Field(
        None,
        description="whether users have vectors of their items, and items of their users, as in "
        "SVD++; default: whichever predicts validation rows better",
    )


class RankingTeacher(Section):
    """The large model that is distilled."""

    architecture: RankingTeacherName = Field(
        "ensemble", description="ensemble: average of `members`, weighted on validation rows"
    )
    members: Annotated[tuple[RankingMember, ...], Field(min_length=1)] = Field(
        ("bayesian-fm", "dcn", "deepfm", "two-stream"),
        description="of the ensemble",
    )
    embedding_dim: PositiveInt = Field(16, description="length of the embedding of a feature")
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field(
        (256, 128, 64), description="widths of the hidden layers"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="share of hidden units dropped in training"
    )
    training: RankingTeacherTraining = RankingTeacherTraining()
    sampling: RankingSampling = RankingSampling()

    @property
    def reads_texts(self) -> bool:
        """Whether the teacher, or a member of it, reads columns of texts."""
        is_member = self.architecture == "ensemble" and "text" in self.members
        return is_member or self.architecture == "text"


class RankingStudentFeatures(Section):
    """Which of the features the student keeps; others leave its file and `features.json`."""

    select: Literal["all", "mutual-information", "l1"] = Field(
        "all", description="how features are scored on training rows, of which the best are kept"
    )
    max_features: PositiveInt | None = Field(
        None, description="how many are kept; default: all that say something"
    )
    pca: PositiveInt | None = Field(
        None, description="principal components that replace the numbers, inside the file"
    )

    @model_validator(mode="after")
    def _check_max_features(self) -> RankingStudentFeatures:
        if self.max_features is not None and self.select == "all":
            raise ValueError("max_features has no effect with select all")
        return self


class RankingStudent(Section):
    """The small model that is shipped."""

    architecture: RankingStudentName = Field("mlp", description="docs/explanation/students.md")
    embedding_dim: PositiveInt = Field(
        8, description="length of the embedding of a feature; logistic-regression has none"
    )
    embedding_width: Literal["equal", "by-cardinality"] = Field(
        "equal",
        description="mlp: by-cardinality shortens embeddings to the fourth root of the number of "
        "values",
    )
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field(
        (64, 32), description="mlp: widths of the hidden layers"
    )
    choose_l2: bool = Field(
        True,
        description="trains again with four times training.l2, and so on, while the validation "
        "score grows",
    )
    crosses: tuple[tuple[Text, ...], ...] = Field(
        (),
        description="combinations of categorical columns beside those of `features.crosses`, which "
        "teachers do not see: for logistic-regression, which knows no other pairs",
    )
    features: RankingStudentFeatures = RankingStudentFeatures()
    training: RankingTrainingSettings = RankingTrainingSettings()

    @model_validator(mode="after")
    def _check_embedding_width(self) -> RankingStudent:
        if self.embedding_width != "equal" and self.architecture != "mlp":
            raise ValueError(
                f"embedding_width is for mlp: the embeddings of a {self.architecture} are equally "
                "long"
            )
        return self


class RankingDistillation(Section):
    """How the student is distilled.

    The total loss is ``w * student_loss + (1 - w) * sum of weight * distillation_loss`` with
    ``w = student_loss_weight``.
    """

    losses: Annotated[tuple[RankingLossName, ...], Field(min_length=1)] = Field(
        ("soft-targets",), description="distillation losses"
    )
    student_loss_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3, description="weight of the loss on the labels"
    )
    weighting: WeightingName = Field(
        "constant", description="how student and distillation losses are weighted"
    )
    unlabelled_rows: Annotated[float, Field(ge=0)] = Field(
        4.0,
        description="rows drawn for each training row, up to a million in all, that the teacher "
        "labels: the item of one beside the user and the situation of another; none where no "
        "column is of the item",
    )
    teacher_combination: Literal["single", "average", "weighted", "confidence"] = Field(
        "single",
        description="single: the teacher; else the ensemble's members, each with its own logit: "
        "their mean, weighted as in the ensemble, or per row by how well they predict its label",
    )
    loss_settings: dict[str, LossSettings] = Field(
        {}, description="settings of single losses by name: weight, student_loss_weight, arguments"
    )


class RankingExport(Section):
    """The .tflite files to export and the one to bundle."""

    batch_size: PositiveInt = Field(64, description="B, the rows of one call of predict_batch")
    quantizations: Annotated[tuple[RankingQuantization, ...], Field(min_length=1)] = Field(
        ("float32", "float16", "dynamic-int8", "int8"),
        description="int8 only if parity holds",
    )
    bundle_quantization: Literal["auto", RankingQuantization] = Field(
        "auto",
        description="of the bundled file; auto: the smallest with a validation score within .001 "
        "of the best",
    )

    @model_validator(mode="after")
    def _check_quantizations(self) -> RankingExport:
        if self.bundle_quantization not in ("auto", *self.quantizations):
            raise ValueError(
                f"bundle_quantization is {self.bundle_quantization}, which is not among "
                f"quantizations {self.quantizations}"
            )
        return self


class RankingConfig(Section):
    """All settings of a run of the ranking task.

    Example:
        >>> from kd_tf.config import from_values
        >>> values = {"task": "ranking", "student": {"embedding_dim": 4}}
        >>> settings = from_values(values, RankingConfig)
        >>> settings.student.architecture, settings.student.embedding_dim
        ('mlp', 4)
    """

    task: Literal["ranking"] = Field("ranking", description="what is learnt")
    name: Text = Field("clicks", description="name of the run in tables and reports")
    seed: Annotated[int, Field(ge=0)] = Field(
        42, description="random seed of synthetic data, split and training"
    )
    data: RankingTables = RankingTables()
    features: RankingFeatures = RankingFeatures()
    split: RankingSplitSettings = RankingSplitSettings()
    teacher: RankingTeacher = RankingTeacher()
    student: RankingStudent = RankingStudent()
    distillation: RankingDistillation = RankingDistillation()
    pruning: Pruning = Pruning(sparsity=0.0)
    export: RankingExport = RankingExport()

    @model_validator(mode="after")
    def _check_encoder(self) -> RankingConfig:
        if self.features.encoder != "tfidf" and not self.teacher.reads_texts:
            raise ValueError(
                f"features.encoder is {self.features.encoder}, but no teacher reads texts: choose "
                "the teacher text, or make it a member of the ensemble"
            )
        return self

    @model_validator(mode="after")
    def _check_mutual(self) -> RankingConfig:
        if "mutual" in self.distillation.losses and self.student.features.select != "all":
            raise ValueError(
                "the loss mutual trains the teacher beside the student, so that both have the same "
                "features: leave student.features.select out"
            )
        return self

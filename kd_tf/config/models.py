"""Settings of teacher and student: architecture, size and training."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kd_tf.choices import (
    LearningRateScheduleName,
    MemberArchitecture,
    OptimizerName,
    StudentArchitecture,
    TeacherArchitecture,
)
from kd_tf.config.section import PositiveInt, Section
from kd_tf.sizes import parse_size

MATRIX_FACTORIZATION = "matrix-factorization"
"""The architecture that knows only training users, by ID; for `kd-tf compare` only."""


def parse_bytes(value: Any) -> Any:
    """Parses a size such as ``600kB``; returns what is no text unchanged."""
    return parse_size(value) if isinstance(value, str) else value


Bytes = Annotated[PositiveInt, BeforeValidator(parse_bytes)]
"""A number of bytes, or a text such as ``600kB``, ``1.5MB`` or ``2MiB``."""


class TrainingSettings(Section):
    """Training settings of a model; the defaults are for students."""

    epochs: PositiveInt = Field(60, description="maximum number of epochs")
    optimizer: OptimizerName = Field("adam", description="of networks; fine-tuning uses adam")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        0.01, description="highest learning rate of the optimizer"
    )
    learning_rate_schedule: LearningRateScheduleName = Field(
        "cosine",
        description="cosine: warm-up over 5 % of the steps, then a half cosine to 0; exponential: "
        "falls to 1 % of the learning rate",
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="sgd only; default: 0.9"
    )
    weight_decay: Annotated[float, Field(ge=0)] | None = Field(
        None, description="decoupled from the gradient; default: 0.004 for adamw, else none"
    )
    l2: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="weight of the squared item embeddings in the loss; matrix-factorization: "
        "default 0.03",
    )
    batch_size: PositiveInt | None = Field(
        None, description="default: an eighth of the training users, 32 to 512"
    )
    patience: PositiveInt = Field(8, description="early stopping: validations without improvement")


class TeacherTrainingSettings(TrainingSettings):
    """Training settings of a teacher: fewer epochs and a smaller learning rate."""

    epochs: PositiveInt = Field(30, description="maximum number of epochs")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        0.0025, description="highest learning rate of the optimizer"
    )
    patience: PositiveInt = Field(5, description="early stopping: validations without improvement")


class Teacher(Section):
    """The large model that is distilled."""

    architecture: TeacherArchitecture = Field(
        "ensemble",
        description="docs/explanation/teachers.md; ensemble: weighted average of `members`; "
        "matrix-factorization: for kd-tf compare only",
    )
    members: tuple[MemberArchitecture, ...] | None = Field(
        None,
        description="ensemble: default: local-ridge, ials (up to 300,000 items), spectral (up to "
        "30,000), content where texts are encoded, friends where they are known, and cnn where it "
        "trains quickly",
    )
    objective: Literal["auto", "full-softmax", "in-batch"] = Field(
        "auto", description="training loss; auto: in-batch above 50,000 items"
    )
    embedding_dim: PositiveInt = Field(512, description="of teachers that are trained")
    training: TeacherTrainingSettings = TeacherTrainingSettings()


class Student(Section):
    """The small model that is shipped.

    Example:
        >>> student = Student(architecture="mlp", training={"epochs": 20})
        >>> student.embedding_dim, student.training.epochs, student.training.learning_rate
        (32, 20, 0.01)
    """

    architecture: StudentArchitecture = Field(
        "auto",
        description="docs/explanation/students.md; auto: the best within max_bytes; "
        "matrix-factorization: for kd-tf compare only",
    )
    max_bytes: Bytes | None = Field(
        None,
        description="size of the int8 weights, as 600kB, 1.5MB or a number; default: 1MB, above "
        "25,000 items 40 bytes per item",
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

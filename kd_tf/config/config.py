"""All settings of a run, section by section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kd_tf.config.data import Cleaning, Content, Data, Evaluation, Split
from kd_tf.config.distillation import Distillation, Examples, Pruning
from kd_tf.config.export import Export
from kd_tf.config.models import Student, Teacher
from kd_tf.config.section import Section, Text


class Config(Section):
    """All settings of a run.

    Example:
        >>> from kd_tf.config import from_values
        >>> config = from_values({"student": {"architecture": "mlp", "embedding_dim": 16}})
        >>> config.student.embedding_dim, config.split.protocol, config.seed
        (16, None, 42)
        >>> from_values({"student": {"embedding_dim": 0}})
        Traceback (most recent call last):
        ...
        kd_tf.errors.UserError: configuration: student.embedding_dim: Input should be ...
    """

    task: Literal["retrieval"] = Field("retrieval", description="what is learnt")
    name: Text = Field("synthetic", description="name of the run in tables and reports")
    seed: Annotated[int, Field(ge=0)] = Field(
        42, description="random seed of synthetic data, split, sampled candidates and training"
    )
    data: Data = Data()
    content: Content = Content()
    cleaning: Cleaning = Cleaning()
    split: Split = Split()
    evaluation: Evaluation = Evaluation()
    examples: Examples = Examples()
    teacher: Teacher = Teacher()
    student: Student = Student()
    distillation: Distillation = Distillation()
    pruning: Pruning = Pruning()
    export: Export = Export()

"""All settings of a run: TOML in, validated settings out.

Everything is validated before any data is read, so a wrong setting stops a run at once.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import Field, ValidationError

from kd_tf import atomic
from kd_tf.config.data import Cleaning, Data, Evaluation, Split
from kd_tf.config.distillation import Distillation, Examples, Pruning
from kd_tf.config.export import Export
from kd_tf.config.models import Student, Teacher
from kd_tf.config.section import Section, Text
from kd_tf.errors import UserError
from kd_tf.limited_read import read_limited


class Config(Section):
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

    name: Text = Field("synthetic", description="name of the run in tables and reports")
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


MAX_BYTES = 2**20
"""Largest configuration file that is read; one with every setting takes 3 kB."""


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
            hint="docs/reference/configuration.md lists every setting and its default.",
        ) from error


def read(path: Path, *, allow_code: bool = False) -> Config:
    """Reads and validates a TOML file.

    Args:
        path: The file.
        allow_code: Whether it may name classes to import, as ``module:Class``. Importing a module
            runs it, so a file of somebody else's must not choose one.

    Raises:
        UserError: The file is missing, is not TOML, a setting is wrong, or it names a class
            although that is not allowed.
    """
    try:
        values = tomllib.loads(read_limited(path, MAX_BYTES).decode("utf-8"))
    except FileNotFoundError as error:
        raise UserError("file not found", where=str(path)) from error
    # A file too large, not UTF-8 or not TOML is a ValueError.
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"not a valid TOML file: {error}",
            where=str(path),
            hint="See docs/reference/configuration.md.",
        ) from error
    config = from_values(values, where=str(path))
    imported_losses = [name for name in config.distillation.losses if ":" in name]
    if imported_losses and not allow_code:
        raise UserError(
            f"distillation.losses names {imported_losses[0]}, which would import and run Python "
            "code",
            where=str(path),
            hint="If you trust the file and that module, allow it with --allow-code "
            "(config.read(path, allow_code=True) in Python).",
        )
    return config


def write(config: Config, path: Path) -> None:
    """Writes the configuration with all defaults as TOML, enough to repeat the run."""
    values = config.model_dump(mode="json", exclude_none=True)
    atomic.write_text(path, tomli_w.dumps(values))

"""TOML in, validated settings out.

Everything is validated before any data is read, so a wrong setting stops a run at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from kd_tf import atomic
from kd_tf.config.config import Config
from kd_tf.config.effects import (
    COMPARE_RULES,
    RULES,
    RUN_RULES,
    EffectRule,
    explain_ineffective,
)
from kd_tf.config.ranking import RankingConfig
from kd_tf.errors import UserError
from kd_tf.limited_read import read_limited

_HINT = (
    "docs/reference/configuration.md lists all settings, and so does the config.toml of every run."
)

MAX_BYTES = 2**20
"""Largest configuration file that is read; one with every setting takes 3 kB."""


_Settings = TypeVar("_Settings", Config, RankingConfig)


@overload
def from_values(values: dict[str, Any], *, where: str = ...) -> Config: ...


@overload
def from_values(
    values: dict[str, Any], config_class: type[_Settings], *, where: str = ...
) -> _Settings: ...


def from_values(
    values: dict[str, Any],
    config_class: Any = Config,
    *,
    where: str = "configuration",
) -> Any:
    """Validates nested settings.

    Args:
        values: Sections and their keys, as a TOML file has them.
        config_class: The settings of a task.
        where: The source that an error message names.

    Raises:
        UserError: A key is unknown or a value is out of range; the message lists all of them.
    """
    try:
        config = config_class.model_validate(values)
    except ValidationError as error:
        raise UserError(
            "; ".join(_describe_fault(fault, config_class) for fault in error.errors()),
            where=where,
            hint=_HINT,
        ) from error
    if isinstance(config, Config):
        _check_effects(config, RULES, where)
    return config


def check_effects(config: Config, command: Literal["run", "compare"]) -> None:
    """Checks that every setting that was changed has an effect in a command.

    Raises:
        UserError: One has none.
    """
    _check_effects(config, RUN_RULES if command == "run" else COMPARE_RULES, "configuration")


def _check_effects(config: Config, rules: Sequence[EffectRule], where: str) -> None:
    explanation = explain_ineffective(config, rules)
    if explanation is not None:
        raise UserError(explanation, where=where, hint=_HINT)


def _describe_fault(fault: Any, config_class: type[BaseModel]) -> str:
    """Says what is wrong with a setting, and the setting that was perhaps meant."""
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        *section, key = map(str, fault["loc"])
        close_keys = get_close_matches(key, _find_fields(section, config_class), n=1)
        return f"{name}: there is no such setting" + (
            f". Did you mean {'.'.join([*section, *close_keys])}?" if close_keys else ""
        )
    if fault["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"{name}: this is a section, so it has no value (got {fault['input']!r})"
    if fault["type"] == "string_pattern_mismatch":
        *section, key = map(str, fault["loc"])
        description = _find_fields(section, config_class)[key].description
        return f"{name}: it must be {description} (got {fault['input']!r})"
    message = f"{name or 'configuration'}: {fault['msg'].removeprefix('Value error, ')}"
    # A section's own check has named the values that it is about.
    is_section = fault["type"] == "value_error" and isinstance(fault["input"], dict)
    has_value = name and fault["type"] != "missing" and not is_section
    return message + (f" (got {fault['input']!r})" if has_value else "")


def _find_fields(keys: Sequence[str], config_class: type[BaseModel]) -> dict[str, FieldInfo]:
    """Returns the fields of the section at these keys; none if it is no section."""
    fields: dict[str, FieldInfo] = config_class.model_fields
    for key in keys:
        fields = getattr(fields[key].annotation, "model_fields", {}) if key in fields else {}
    return fields


def list_settings(section: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Lists the keys of a section and of the sections in it, with their types.

    Example:
        >>> list_settings(Config)["seed"], "student.embedding_dim" in list_settings(Config)
        (<class 'int'>, True)
    """
    settings: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            settings |= list_settings(field.annotation, f"{prefix}{name}.")
        else:
            settings[f"{prefix}{name}"] = field.annotation
    return settings


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
    values = read_values(path)
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


def read_values(path: Path) -> dict[str, Any]:
    """Reads the settings of a TOML file without validating them.

    Raises:
        UserError: The file is missing or is not TOML.
    """
    try:
        return tomllib.loads(read_limited(path, MAX_BYTES).decode("utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            "file not found",
            where=str(path),
            hint="Give a TOML file, for example the config.toml in the folder of an earlier run.",
        ) from error
    # A file too large, not UTF-8 or not TOML is a ValueError.
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"not a valid TOML file: {getattr(error, 'strerror', None) or error}",
            where=str(path),
            hint=_HINT,
        ) from error


def write(config: Config | RankingConfig, path: Path) -> None:
    """Writes the configuration with all defaults as TOML, enough to repeat the run.

    Raises:
        UserError: It cannot be written, or a name or path in it is no Unicode, as TOML has to be.
    """
    text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text[: error.end].rpartition("\n")[2]
        raise UserError(
            f"a name or a path has bytes that are not UTF-8: {line}",
            where="configuration",
            hint="Rename the file, the folder or the run.",
        ) from error
    atomic.write_bytes(path, content)

"""Completes the values of options in the shell."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Sequence


def complete_names(names: Sequence[str], separators: str = ",") -> Callable[[str], list[str]]:
    """Returns a function that completes the last name of a list.

    Args:
        names: All names.
        separators: Characters that separate names.

    Example:
        >>> complete_names(["ease", "ials", "item-knn"])("ease,i")
        ['ease,ials', 'ease,item-knn']
    """

    def complete(incomplete: str) -> list[str]:
        start = re.match(rf"(?:.*[{re.escape(separators)}])?", incomplete, re.DOTALL)
        prefix = start[0] if start else ""
        return [prefix + name for name in names if name.startswith(incomplete[len(prefix) :])]

    return complete


def complete_settings(incomplete: str) -> list[str]:
    """Completes ``section.key=value`` of ``--set``: the keys, and values where they are names.

    The settings are those of all tasks: the shell does not say which task the command is for.

    Example:
        >>> complete_settings("student.max")
        ['student.max_bytes=']
        >>> complete_settings("export.runtime=a")
        ['export.runtime=any', 'export.runtime=android-2.16']
        >>> complete_settings("features.num")
        ['features.numeric=', 'features.num_buckets=']
    """
    try:
        from kd_tf.config import Config, RankingConfig, list_settings
    except ImportError:  # the extra `train` is not installed
        return []
    key, separator, value = incomplete.partition("=")
    tasks = [list_settings(section) for section in (Config, RankingConfig)]
    if not separator:
        keys = dict.fromkeys(name for settings in tasks for name in settings)
        return [f"{name}=" for name in keys if name.startswith(key)]
    names = dict.fromkeys(name for settings in tasks for name in _list_names(settings.get(key)))
    return [f"{key}={name}" for name in names if name.startswith(value)]


def _list_names(annotation: object) -> list[str]:
    """Returns the names that a setting of this type can have."""
    if annotation is bool:
        return ["true", "false"]
    names: list[str] = []
    for argument in typing.get_args(annotation):
        names += [argument] if isinstance(argument, str) else _list_names(argument)
    return names

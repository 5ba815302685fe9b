"""The tasks of ``--task``: which options each has, and how its commands run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from kd_tf.errors import UserError

DEFAULT_TASK = "retrieval"

COMMON_OPTIONS = frozenset(
    ("task", "config", "allow_code", "name", "seed", "settings", "out", "json", "quiet")
)
"""Parameters of commands that every task has."""

RANKING_ONLY_OPTIONS = frozenset(
    (
        *("label", "threshold", "positive", "negatives", "categorical", "numeric", "multi"),
        *("date", "ignore", "features", "users", "user_id"),
    )
)
"""Parameters that the ranking task alone has."""


def choose_task(options: Mapping[str, Any]) -> str:
    """Returns the task of ``--task``, or of the configuration file, or the default.

    Raises:
        UserError: Option and file differ, or the file cannot be read.
    """
    chosen_task = options.get("task")
    if options.get("config") is not None:
        from kd_tf.config import read_values

        path = Path(options["config"])
        task_of_file = read_values(path).get("task", DEFAULT_TASK)
        if chosen_task is not None and task_of_file != chosen_task:
            raise UserError(
                f"--task {chosen_task}, but the file is for the task {task_of_file}",
                where=str(path),
                hint="Leave --task out, or give a file of that task.",
            )
        chosen_task = task_of_file
    return str(chosen_task or DEFAULT_TASK)


def check_task_options(options: Mapping[str, Any], names: Collection[str], task: str) -> None:
    """Checks that a task has every option that was given.

    Args:
        options: The command's parameters by name, as in ``typer.Context.params``.
        names: The parameters that the task has, beside `COMMON_OPTIONS`.
        task: Name of the task.

    Raises:
        UserError: It lacks one.
    """
    for name, value in options.items():
        is_given = value is not None and value is not False and value not in ([], ())
        if is_given and name not in COMMON_OPTIONS and name not in names:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} has no effect with the task {task}",
                hint=f"Leave it out. The help of the command says which options are for --task "
                f"{task}.",
            )

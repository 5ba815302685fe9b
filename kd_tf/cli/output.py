"""Shared output options of the commands: progress and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kd_tf import atomic
from kd_tf.progress import NullProgress, Progress

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result to this file.")
]


def make_progress(quiet: bool) -> Progress:
    """Returns progress bars on the console, or no progress."""
    if quiet:
        return NullProgress()
    from kd_tf.cli.progress_bars import ConsoleProgress

    return ConsoleProgress()


def print_json(content: Any) -> None:
    """Prints JSON to the standard output."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def write_json(path: Path | None, content: Any) -> None:
    """Writes JSON to a file atomically; does nothing if `path` is None."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(path, content)

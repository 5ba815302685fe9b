"""What commands write: progress, tables or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from kd_tf import atomic
from kd_tf.cli.console import escape_control_characters
from kd_tf.progress import NullProgress, Progress


def make_progress(quiet: bool) -> Progress:
    """Returns progress bars on the console, or no progress."""
    if quiet:
        return NullProgress()
    from kd_tf.cli.progress_bars import ConsoleProgress

    return ConsoleProgress()


def write_json(path: Path | None, content: Any) -> bool:
    """Writes the value of ``--json``: a file, or the standard output if `path` is a dash.

    Args:
        path: The file, which is written atomically; None writes nothing.
        content: What `json` can encode.

    Returns:
        Whether the standard output has JSON now, so that nothing else may be printed.
    """
    if path is None:
        return False
    if str(path) == "-":
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        typer.echo(escape_control_characters(text))
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_json(path, content)
    return False

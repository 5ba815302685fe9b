"""What commands write: progress, tables or JSON."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from kd_tf import atomic
from kd_tf.cli.streams import is_unicode
from kd_tf.control_characters import escape_control_characters
from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress


def make_progress(quiet: bool) -> Progress:
    """Returns progress bars on the console, or no progress."""
    if quiet:
        return NullProgress()
    from kd_tf.cli.progress_bars import ConsoleProgress

    return ConsoleProgress()


def check_json_path(path: Path | None) -> Path | None:
    """Checks the value of ``--json`` before any work is done for it.

    Raises:
        UserError: No file can be written at this path.
    """
    if path is None or str(path) == "-" or _is_special(path):
        return path
    atomic.check_file(Path(os.path.realpath(path)))
    return path


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
        # JSON can escape what the encoding lacks.
        escapes = not is_unicode(sys.stdout)
        text = json.dumps(content, indent=2, ensure_ascii=escapes, allow_nan=False)
        sys.stdout.write(escape_control_characters(text) + "\n")
        sys.stdout.flush()
        return True
    if _is_special(path):
        _write_special(path, json.dumps(content, allow_nan=False) + "\n")
    else:
        atomic.write_json(Path(os.path.realpath(path)), content)
    return False


def _write_special(path: Path, text: str) -> None:
    """Writes into a device or a pipe, whose reader may have gone."""
    try:
        path.write_text(text, encoding="utf-8")
    except BrokenPipeError:
        pass
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror}", where=str(path), hint="Give a file."
        ) from error


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe: written to, never replaced by a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))

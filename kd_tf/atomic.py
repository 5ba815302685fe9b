"""Writing so that a killed run never leaves half a file under its final name."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kd_tf.errors import UserError


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` beside `path` under a temporary name, then renames it.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    with _explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files private; a bundle is meant to be read by others.
            Path(temporary).chmod(0o666 & ~_read_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_text(path: Path, content: str) -> None:
    """Writes UTF-8 text; see `write_bytes`."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes JSON that any parser reads: no NaN, no infinity (`ValueError`); see `write_bytes`."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def replace_directory(path: Path) -> Iterator[Path]:
    """Yields a temporary folder that takes the place of `path` when the block ends well.

    When the block raises (Ctrl-C included) the temporary folder is removed and whatever was
    at `path` before is still there.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    with _explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_read_umask())
            if path.exists():
                # A folder cannot be renamed over a full one: the old one steps aside first.
                retired = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
                try:
                    path.replace(retired / path.name)
                    temporary.replace(path)
                except BaseException:
                    if not path.exists():
                        (retired / path.name).replace(path)
                    shutil.rmtree(retired, ignore_errors=True)
                    raise
                shutil.rmtree(retired, ignore_errors=True)
            else:
                temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextlib.contextmanager
def _explain_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hints = {
            errno.ENOSPC: "The disk is full: free some space and run again.",
            errno.EDQUOT: "The disk quota is used up: free some space and run again.",
            errno.EACCES: "The folder cannot be written: choose another one or change its rights.",
            errno.EPERM: "The folder cannot be written: choose another one or change its rights.",
            errno.EROFS: "The disk is read-only: choose another folder.",
            errno.ENOTDIR: "A part of the path is a file: choose another folder.",
            errno.EEXIST: "A part of the path is a file: choose another folder.",
        }
        if error.errno not in hints:
            raise
        raise UserError(
            f"cannot write: {error.strerror}", where=str(path), hint=hints[error.errno]
        ) from error


def _read_umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

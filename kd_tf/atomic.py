"""Writes files and folders atomically: a killed run never leaves half of one behind."""

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
    """Writes a file under a temporary name in the same folder, then renames it.

    Args:
        path: The final name; its folder is created if needed.
        content: What the file shall contain.

    Raises:
        UserError: The disk is full or the folder is not writable.
    """
    with _explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp creates private files, but other users must be able to read a bundle.
            Path(temporary).chmod(0o666 & ~_read_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_text(path: Path, content: str) -> None:
    """Writes text as UTF-8; see `write_bytes`."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes strict JSON; see `write_bytes`.

    Raises:
        ValueError: `content` holds NaN or infinity, which JSON does not have.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def replace_directory(path: Path) -> Iterator[Path]:
    """Yields a temporary folder that replaces `path` when the block succeeds.

    If the block raises (Ctrl-C included), the temporary folder is removed and `path` stays as it
    was.

    Raises:
        UserError: The disk is full or the folder is not writable.
    """
    with _explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_read_umask())
            if path.exists():
                # A folder cannot be renamed over a non-empty one: move the old one away first.
                old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
                try:
                    path.replace(old / path.name)
                    temporary.replace(path)
                except BaseException:
                    if not path.exists():
                        (old / path.name).replace(path)
                    shutil.rmtree(old, ignore_errors=True)
                    raise
                shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextlib.contextmanager
def _explain_write_errors(path: Path) -> Iterator[None]:
    """Turns an OSError that the user can fix into a UserError with a hint."""
    try:
        yield
    except OSError as error:
        hints = {
            errno.ENOSPC: "The disk is full: free some space and run again.",
            errno.EDQUOT: "The disk quota is used up: free some space and run again.",
            errno.EACCES: "The folder is not writable: choose another folder.",
            errno.EPERM: "The folder is not writable: choose another folder.",
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
    """Returns the process's umask, which can only be read by setting it."""
    current = os.umask(0)
    os.umask(current)
    return current

"""Folders that are filled once for a key, and again if a file in them is not what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from kd_tf import atomic
from kd_tf.limited_read import read_limited

KEY_FILE = "key.json"
"""File with the key of a folder and the SHA-256 of every other file in it."""

MAX_KEY_BYTES = 2**24
"""Largest key file that is read."""


def fill_folder(
    folder: Path, key: dict[str, Any], build: Callable[[Path], Any]
) -> Literal["filled", "reused", "damaged"]:
    """Fills a folder, unless it was filled with the same key before and is still as it was.

    Args:
        folder: The folder, replaced as a whole.
        key: Everything that its content depends on, as JSON.
        build: Writes the content into the folder that it gets.

    Returns:
        What was done: ``reused`` kept the folder; ``filled`` built it, as it was missing or had
        another key; ``damaged`` built it, as a file in it was missing, changed or added.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "stage"
        >>> def build(new_folder):
        ...     (new_folder / "text").write_text("content")
        >>> [fill_folder(folder, {"seed": 1}, build) for _ in range(2)]
        ['filled', 'reused']
        >>> (folder / "text").write_text("zeros")
        5
        >>> fill_folder(folder, {"seed": 1}, build), (folder / "text").read_text()
        ('damaged', 'content')
    """
    record = _read_record(folder)
    is_same = record is not None and record.get("key") == json.loads(json.dumps(key))
    if is_same and record is not None and record.get("sha256") == hash_files(folder):
        return "reused"
    with atomic.replace_directory(folder) as new_folder:
        build(new_folder)
        atomic.write_json(new_folder / KEY_FILE, {"key": key, "sha256": hash_files(new_folder)})
    return "damaged" if is_same else "filled"


def hash_files(folder: Path) -> dict[str, str]:
    """Computes the SHA-256 of every file in a folder but `KEY_FILE`, by its path in the folder.

    Links are not followed: a folder with one is not what was written. Files of file managers do not
    count (`kd_tf.atomic.SYSTEM_FILES`): looking into a folder does not change it.
    """
    hashes = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            hashes[name] = "link"
        elif path.is_file() and name != KEY_FILE and path.name not in atomic.SYSTEM_FILES:
            with path.open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def list_other_files(folder: Path) -> list[str]:
    """Lists the files in a folder that are not those that were written with its key.

    Returns:
        Their paths in the folder; none if the folder has no readable key.
    """
    record = _read_record(folder)
    hashes = None if record is None else record.get("sha256")
    if not isinstance(hashes, dict):
        return []
    return atomic.list_other_files(folder, {*hashes, KEY_FILE})


def _read_record(folder: Path) -> dict[str, Any] | None:
    """Returns the content of the key file; None if there is no readable one."""
    try:
        record = json.loads(read_limited(folder / KEY_FILE, MAX_KEY_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None

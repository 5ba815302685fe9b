"""Exports a site to a folder, for any static file host."""

from __future__ import annotations

from pathlib import Path

from kd_tf import atomic
from kd_tf.errors import UserError
from kd_tf.preview.site import INDEX_FILE, RELEASE_FILE, Site


def export_site(site: Site, folder: Path) -> None:
    """Writes all files of a site atomically, replacing an earlier export.

    Args:
        site: The site.
        folder: Target folder: new, empty, or an earlier export.

    Raises:
        UserError: The folder contains other files, cannot be written, or the disk is full.
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    with atomic.replace_directory(folder) as temporary_folder:
        for name, content in site.files.items():
            path = temporary_folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _check_replaceable(folder: Path) -> None:
    """Raises an error if the folder contains anything but an earlier export."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(
            "a file with this name exists", where=str(folder), hint="Give another folder."
        )
    names = {path.name for path in folder.iterdir()}
    if names and not {INDEX_FILE, RELEASE_FILE} <= names:
        raise UserError(
            "the folder is not empty and does not contain an earlier export of this page",
            where=str(folder),
            hint="Give a new folder. An export deletes everything in an existing one.",
        )

"""The page in a folder, for any host of static files."""

from __future__ import annotations

from pathlib import Path

from kd_tf import atomic
from kd_tf.errors import UserError
from kd_tf.preview.site import INDEX_FILE, RELEASE_FILE, Site


def export_site(site: Site, folder: Path) -> None:
    """Writes every file of a site; an earlier export in the same place is replaced in one step.

    Raises:
        UserError: The folder holds something else, the disk is full, or it cannot be written.
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    with atomic.replace_directory(folder) as unfinished:
        for name, content in site.files.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(
            "there is a file of this name", where=str(folder), hint="Give another folder."
        )
    names = {path.name for path in folder.iterdir()}
    if names and not {INDEX_FILE, RELEASE_FILE} <= names:
        raise UserError(
            "the folder is not empty and holds no earlier export of this page",
            where=str(folder),
            hint="Give a new folder: everything in an old one would be lost.",
        )

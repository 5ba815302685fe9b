"""Exports a site to a folder, for any static file host."""

from __future__ import annotations

import os
from pathlib import Path

from kd_tf import atomic
from kd_tf.errors import UserError
from kd_tf.preview.site import RELEASE_FILE, SERVICE_WORKER_FILE, Site, hash_content, read_release

_HINT = (
    "Export into a new folder, and copy its content here: files of others are then kept, as CNAME "
    "and .git of GitHub Pages."
)


def export_site(site: Site, folder: Path) -> None:
    """Writes all files of a site atomically, replacing an earlier export.

    Args:
        site: The site.
        folder: Target folder: new, empty, or an earlier export and nothing else.

    Raises:
        UserError: See `check_export_folder`; or the disk is full.
    """
    folder = Path(os.path.realpath(folder))
    check_export_folder(folder)
    with atomic.replace_directory(folder) as temporary_folder:
        for name, content in site.files.items():
            path = temporary_folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def check_export_folder(folder: Path) -> None:
    """Checks that an export would delete nothing but an earlier export.

    Raises:
        UserError: The folder has files that no export wrote, or that were changed since; or it
            cannot be written.
    """
    folder = Path(os.path.realpath(folder))
    hashes = _read_hashes(folder)
    own_files = {*hashes, RELEASE_FILE, SERVICE_WORKER_FILE} if hashes else set[str]()
    atomic.check_replaceable(folder, own_files, hint=_HINT)
    changed_files = [name for name, digest in hashes.items() if _has_changed(folder / name, digest)]
    if changed_files:
        raise UserError(
            "files of the earlier export were changed, and the changes would be lost: "
            f"{atomic.join_names(changed_files)}",
            where=str(folder),
            hint="Export into a new folder.",
        )
    if folder.is_dir() and Path.cwd().is_relative_to(folder):
        raise UserError(
            "an export replaces the folder, but the command runs in it",
            where=str(folder),
            hint="Run the command in another folder.",
        )


def _read_hashes(folder: Path) -> dict[str, str]:
    """Returns the hash of each file of the export in a folder; none if there is no export."""
    try:
        return read_release((folder / RELEASE_FILE).read_bytes())
    except (OSError, ValueError):
        return {}


def _has_changed(path: Path, digest: str) -> bool:
    """Whether a file is there and is not what was exported."""
    return path.is_file() and hash_content(path.read_bytes()) != digest

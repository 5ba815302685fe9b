"""The folder of a run or a comparison: marked, so that no other folder is taken for one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kd_tf import atomic, keyed_folder
from kd_tf.errors import UserError
from kd_tf.file_locks import reserve_folder
from kd_tf.runtime.bundle_files import BUNDLE_FOLDER, check_bundle_folder

MARKER_FILE = "kd-tf-run.txt"
"""File that marks the folder of a run. Its presence counts, not its content."""

_MARKER_TEXT = (
    "kd-tf run and kd-tf compare write into this folder, and replace what they wrote before.\n"
)

_HARMLESS_FILES = atomic.SYSTEM_FILES | {"lost+found", ".gitignore", ".gitkeep"}
"""What an empty folder may have: no run writes such files."""


def check_run_folder(folder: Path) -> None:
    """Checks that a run may write into a folder, before any work is done for it.

    Args:
        folder: A new or empty folder, or that of an earlier run.

    Raises:
        UserError: It cannot be written, or it has files that no run wrote.
    """
    atomic.check_folder(folder)
    if not folder.is_dir():
        return
    names = {path.name for path in folder.iterdir()} - _HARMLESS_FILES
    if names and MARKER_FILE not in names:
        raise UserError(
            "the folder is neither empty nor the folder of a run: it has "
            f"{atomic.join_names(sorted(names))}",
            where=str(folder),
            hint=f"Choose a new folder. (The folder of a run has a file {MARKER_FILE}.)",
        )
    check_bundle_folder(folder / BUNDLE_FOLDER)
    other_files = [
        f"{stage.parent.relative_to(folder).as_posix()}/{name}"
        for stage in sorted(folder.rglob(keyed_folder.KEY_FILE))
        for name in keyed_folder.list_other_files(stage.parent)
    ]
    if other_files:
        raise UserError(
            f"the run would delete files that it did not write: {atomic.join_names(other_files)}",
            where=str(folder),
            hint="Move them out of these folders and run again.",
        )


@contextlib.contextmanager
def reserve_run_folder(folder: Path) -> Iterator[None]:
    """Creates and marks the folder of a run, and keeps other commands out while the block runs.

    What killed commands have left half written in it is removed.

    Raises:
        UserError: See `check_run_folder` and `kd_tf.file_locks.reserve_folder`.
    """
    check_run_folder(folder)
    with reserve_folder(folder):
        # Not atomically: an empty file is a mark, too.
        (folder / MARKER_FILE).write_text(_MARKER_TEXT, encoding="utf-8")
        atomic.remove_all_leftovers(folder)
        yield

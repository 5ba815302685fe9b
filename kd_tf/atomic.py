"""Writes files and folders atomically: a killed process never leaves half of one behind.

Everything is written under a temporary name beside its target, ``.NAME.RANDOM.tmp``, brought to the
disk, and renamed. The writer holds a lock on the temporary file or folder, so that the next writer
knows which ones a killed process has left, and removes them.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from kd_tf.errors import UserError
from kd_tf.file_locks import LockedError, hold_lock, lock_handle

TEMPORARY_SUFFIX = ".tmp"
"""Ending of what is being written."""

OLD_SUFFIX = ".old"
"""Ending of a folder that was moved away for the new one, where the two cannot change places."""

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_RENAME_SWAP = 2


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
        remove_leftovers(path)
        with _open_temporary_file(path) as (file, temporary):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # Temporary files are private, but other users must be able to read a bundle.
            temporary.chmod(0o666 & ~_read_umask())
            if os.name == "nt":
                file.close()  # Windows renames no open files; elsewhere the lock is kept until then
            temporary.replace(path)
        _sync_folder(path.parent)


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
    was. On Linux and macOS the two folders change places in one step, so that `path` is there at
    every moment.

    Raises:
        UserError: The disk is full or the folder is not writable.
    """
    with _explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        with _make_temporary_folder(path) as temporary:
            yield temporary
            temporary.chmod(0o777 & ~_read_umask())
            _sync_tree(temporary)
            if os.path.lexists(path):
                _swap(temporary, path)
            else:
                temporary.replace(path)
            _sync_folder(path.parent)


def remove_leftovers(path: Path) -> None:
    """Removes what killed processes have left beside `path` while they wrote it.

    A folder that a killed process had moved away is put back if nothing has taken its place.
    """
    prefix = f".{path.name}."
    for leftover in _list_temporaries(path.parent):
        if leftover.name.startswith(prefix):
            _remove_leftover(leftover)


def remove_all_leftovers(folder: Path) -> None:
    """Removes what killed processes have left anywhere inside `folder`; see `remove_leftovers`."""
    if not folder.is_dir():
        return
    for parent, _, _ in os.walk(folder):
        for leftover in _list_temporaries(Path(parent)):
            _remove_leftover(leftover)


def _list_temporaries(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [
            folder / entry.name
            for entry in entries
            if entry.name.startswith(".") and entry.name.endswith((TEMPORARY_SUFFIX, OLD_SUFFIX))
        ]


def _remove_leftover(leftover: Path) -> None:
    """Removes a temporary file or folder whose writer is dead, or puts an old folder back."""
    try:
        with hold_lock(leftover):
            target = leftover.with_name(leftover.name[1:].rsplit(".", 2)[0])
            if leftover.name.endswith(OLD_SUFFIX) and not os.path.lexists(target):
                leftover.replace(target)
            else:
                _remove(leftover)
    except (LockedError, OSError):
        pass  # it is in use, has gone, or belongs to somebody else


@contextlib.contextmanager
def _open_temporary_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Opens a locked temporary file beside `path`; in the end it is removed, if still there."""
    while True:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX, dir=path.parent
        )
        with os.fdopen(handle, "wb") as file:
            try:
                lock_handle(handle)
            except LockedError:
                continue  # another process took the new file, not locked yet, for a leftover
            if not _is_at(handle, Path(name)):
                continue
            try:
                yield file, Path(name)
            finally:
                Path(name).unlink(missing_ok=True)
            return


def _is_at(handle: int, path: Path) -> bool:
    """Says whether an open file or folder is still at its path, and was not removed meanwhile."""
    try:
        return os.name == "nt" or os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _make_temporary_folder(path: Path) -> Iterator[Path]:
    """Makes a temporary folder beside `path` and holds its lock; it is removed in the end."""
    while True:
        temporary = Path(
            tempfile.mkdtemp(prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX, dir=path.parent)
        )
        with contextlib.ExitStack() as stack:
            try:
                handle = stack.enter_context(hold_lock(temporary))
            except (LockedError, FileNotFoundError):
                continue  # another process took the new folder, not locked yet, for a leftover
            if not _is_at(handle, temporary):
                continue
            try:
                yield temporary
            finally:
                _remove(temporary)
            return


def _swap(temporary: Path, path: Path) -> None:
    """Puts a temporary folder in the place of `path`; what was there is then temporary."""
    if _exchange(temporary, path):
        return
    old = temporary.with_suffix(OLD_SUFFIX)
    path.replace(old)
    try:
        temporary.replace(path)
    except BaseException:
        old.replace(path)
        raise
    _remove(old)


def _exchange(first: Path, second: Path) -> bool:
    """Exchanges two paths in one step; returns False where the system cannot."""
    call = _find_exchange()
    if call is None:
        return False
    if call(os.fsencode(first), os.fsencode(second)) == 0:
        return True
    error = ctypes.get_errno()
    if error in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(error, os.strerror(error), str(second))


@functools.cache
def _find_exchange() -> Callable[[bytes, bytes], int] | None:
    """Returns the system's call that exchanges two paths; None if there is none."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            swap = library.renamex_np
            return lambda first, second: int(swap(first, second, _RENAME_SWAP))
        rename = library.renameat2
    except (AttributeError, OSError, TypeError):
        return None
    return lambda first, second: int(rename(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE))


def _remove(path: Path) -> None:
    """Removes a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_tree(folder: Path) -> None:
    """Brings all files and folders of a folder to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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

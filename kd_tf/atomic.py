"""Writes files and folders atomically: a killed process never leaves half of one behind.

Everything is written under a temporary name beside its target, ``.NAME.RANDOM.kd-tf.tmp``, brought
to the disk, and renamed. The writer holds a lock on the temporary file or folder, so that the next
writer knows which ones a killed process has left, and removes them. Other programs have temporary
files too: nothing with another form of name is touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from kd_tf.errors import UserError
from kd_tf.file_locks import LOCK_FILE, LockedError, hold_lock, lock_handle

TEMPORARY_SUFFIX = ".kd-tf.tmp"
"""Ending of what is being written."""

OLD_SUFFIX = ".kd-tf.old"
"""Ending of a folder that was moved away for the new one, where the two cannot change places."""

SYSTEM_FILES = frozenset((LOCK_FILE, ".DS_Store", ".directory", "Thumbs.db", "desktop.ini"))
"""Files that file managers and locks leave in any folder: nobody misses them."""

MAX_JOINED_NAMES = 5

_LEFTOVER = re.compile(
    # `tempfile` takes eight of these characters.
    rf"\.(?P<name>.+)\.[a-z0-9_]{{8}}({re.escape(TEMPORARY_SUFFIX)}|{re.escape(OLD_SUFFIX)})",
    re.DOTALL,
)

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


def check_folder(path: Path) -> None:
    """Checks that files can be written into a folder that exists, or can be created.

    A file is written, and gone at once, as rights alone do not tell: there are disks that are full
    or read-only, quotas, and folders of the system.

    Raises:
        UserError: They cannot.
    """
    with _explain_write_errors(path):
        folder = path.absolute()
        while not _is_taken(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")


def _is_taken(path: Path) -> bool:
    """Whether there is anything at a path; other than `os.path.lexists` it raises for bad paths."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def check_file(path: Path) -> None:
    """Checks that a file can be written or replaced; see `check_folder`.

    Raises:
        UserError: It cannot, or a folder has this name.
    """
    with _explain_write_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    check_folder(path.parent)


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


def check_replaceable(path: Path, own_files: Collection[str], *, hint: str) -> None:
    """Checks that `replace_directory` can write a folder, and would delete no file of others.

    Args:
        path: The folder; it need not exist.
        own_files: The files that this program wrote into it; see `list_other_files`.
        hint: What the user can do if there are other files.

    Raises:
        UserError: It cannot be written, or there are other files.
    """
    check_folder(path.absolute().parent)
    with _explain_write_errors(path):
        if not _is_taken(path):
            return
        if not path.is_dir():
            raise FileExistsError(errno.EEXIST, "a file has this name", str(path))
        if path.is_mount():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        other_files = list_other_files(path, own_files)
    if other_files:
        raise UserError(
            f"the folder has other files, which would be deleted: {join_names(other_files)}",
            where=str(path),
            hint=hint,
        )


def join_names(names: Sequence[str]) -> str:
    """Joins names for a message, the first of them if there are many.

    Example:
        >>> join_names([f"{number}.txt" for number in range(9)])
        '0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 4 more'
    """
    more = f" and {len(names) - MAX_JOINED_NAMES} more" if len(names) > MAX_JOINED_NAMES else ""
    return ", ".join(names[:MAX_JOINED_NAMES]) + more


def list_other_files(folder: Path, own_files: Collection[str]) -> list[str]:
    """Lists what would be lost if a folder was replaced, but for what this program wrote.

    Args:
        folder: A folder.
        own_files: The files that this program wrote, by their paths in the folder, with ``/``.

    Returns:
        The paths in the folder of all other files and links. A folder that holds no file of
        `own_files` is listed as a whole, with a ``/`` at its end.

    Example:
        >>> site = Path(tempfile.mkdtemp())
        >>> (site / ".git").mkdir()
        >>> write_text(site / "js" / "app.js", "")
        >>> write_text(site / "CNAME", "example.org")
        >>> list_other_files(site, ["js/app.js"])
        ['.git/', 'CNAME']
    """
    own_folders = {str(parent) for name in own_files for parent in PurePosixPath(name).parents}
    others = []
    for parent, folder_names, file_names in os.walk(folder):
        position = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        for name in list(folder_names):
            is_link = (Path(parent) / name).is_symlink()
            if is_link or str(position / name) not in own_folders:
                folder_names.remove(name)
                if not _LEFTOVER.fullmatch(name):
                    others.append(str(position / name) + ("" if is_link else "/"))
        others += [
            str(position / name)
            for name in file_names
            if str(position / name) not in own_files
            and name not in SYSTEM_FILES
            and not _LEFTOVER.fullmatch(name)
        ]
    return sorted(others)


def remove_leftovers(path: Path) -> None:
    """Removes what killed processes have left beside `path` while they wrote it.

    A folder that a killed process had moved away is put back if nothing has taken its place.
    """
    for leftover, name in _list_leftovers(path.parent):
        if name == path.name:
            _remove_leftover(leftover, path)


def remove_all_leftovers(folder: Path) -> None:
    """Removes what killed processes have left anywhere inside `folder`; see `remove_leftovers`."""
    if not folder.is_dir():
        return
    for parent, _, _ in os.walk(folder):
        for leftover, name in _list_leftovers(Path(parent)):
            _remove_leftover(leftover, leftover.with_name(name))


def _list_leftovers(folder: Path) -> list[tuple[Path, str]]:
    """Lists the temporary files and folders in a folder, each with the name of its target."""
    with os.scandir(folder) as entries:
        return [
            (folder / entry.name, match["name"])
            for entry in entries
            if (match := _LEFTOVER.fullmatch(entry.name))
            # Never a link, and never a pipe, which would be waited for.
            and (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False))
        ]


def _remove_leftover(leftover: Path, target: Path) -> None:
    """Removes a temporary file or folder whose writer is dead, or puts an old folder back."""
    try:
        with hold_lock(leftover):
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
    old = temporary.with_name(temporary.name.removesuffix(TEMPORARY_SUFFIX) + OLD_SUFFIX)
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


_FULL, _ELSEWHERE = "free some space and run again.", "choose another place."

_HINTS = {
    errno.ENOSPC: f"The disk is full: {_FULL}",
    errno.EDQUOT: f"The disk quota is used up: {_FULL}",
    errno.EFBIG: "The file is larger than the disk or a limit (ulimit -f) allows.",
    errno.EACCES: f"The folder is not writable: {_ELSEWHERE}",
    errno.EPERM: f"The folder is not writable: {_ELSEWHERE}",
    errno.EROFS: f"The disk is read-only: {_ELSEWHERE}",
    errno.ENOTDIR: f"A part of the path is a file: {_ELSEWHERE}",
    errno.EEXIST: f"A part of the path is a file: {_ELSEWHERE}",
    errno.ENOENT: f"A folder of the path cannot be created or was removed: {_ELSEWHERE}",
    errno.ELOOP: f"A link of the path leads back to itself: {_ELSEWHERE}",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.EISDIR: "A folder has this name: give the name of a file.",
    errno.EBUSY: "The folder is the root of a disk: give a folder inside it.",
    errno.EXDEV: "The folder is the root of a disk: give a folder inside it.",
}
"""What the user can do about each error of the system. Other errors are not the user's."""


@contextlib.contextmanager
def _explain_write_errors(path: Path) -> Iterator[None]:
    """Turns an OSError that the user can fix into a UserError with a hint."""
    try:
        yield
    except OSError as error:
        if error.errno not in _HINTS:
            raise
        raise UserError(
            f"cannot write: {error.strerror}", where=str(path), hint=_HINTS[error.errno]
        ) from error


def _read_umask() -> int:
    """Returns the process's umask, which can only be read by setting it."""
    current = os.umask(0)
    os.umask(current)
    return current

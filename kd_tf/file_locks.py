"""Locks on files and folders that end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from kd_tf.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
"""Where the lock of a folder is on systems that cannot lock the folder itself."""


class LockedError(Exception):
    """Another process holds the lock."""


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[int]:
    """Locks a file or folder that exists, for as long as the block runs.

    The lock is the operating system's: it ends with the process, also if that is killed, and leaves
    no file behind.

    Args:
        path: A file or folder. On Windows only a folder; the lock is then a file in it.

    Yields:
        The descriptor that holds the lock.

    Raises:
        LockedError: Another process, or another thread of this one, holds the lock.
        OSError: The path does not exist.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with hold_lock(folder):
        ...     try:
        ...         with hold_lock(folder):
        ...             pass
        ...     except LockedError:
        ...         print("in use")
        in use
    """
    if fcntl is None:
        with _hold_windows_lock(path) as handle:
            yield handle
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        lock_handle(handle)
        yield handle
    finally:
        os.close(handle)


def lock_handle(handle: int) -> None:
    """Locks an open file until it is closed; on Windows this does nothing.

    Raises:
        LockedError: Another process, or another thread of this one, holds the lock.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise LockedError(f"descriptor {handle}") from error
        # Some network file systems have no locks: go on as if there was nobody else.
        if error.errno not in (errno.ENOTSUP, errno.ENOLCK, errno.EINVAL):
            raise


@contextlib.contextmanager
def reserve_folder(folder: Path) -> Iterator[None]:
    """Creates a folder if needed and keeps other commands out of it while the block runs.

    Raises:
        UserError: Another command uses the folder, or it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder cannot be created: {error.strerror}",
            where=str(folder),
            hint="Choose another folder with --out.",
        ) from error
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(folder))
        except LockedError as error:
            raise UserError(
                "another kd_tf command is using this folder",
                where=str(folder),
                hint="Wait until it has finished, or choose another folder with --out.",
            ) from error
        yield


@contextlib.contextmanager
def _hold_windows_lock(path: Path) -> Iterator[int]:  # pragma: no cover
    import msvcrt

    handle = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT)
    try:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            raise LockedError(str(path)) from error
        yield handle
    finally:
        os.close(handle)

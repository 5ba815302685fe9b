"""Arrays and records of a run's stages.

They are written so that a full disk is an error at once, and read as what may come with somebody
else's run folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from kd_tf.errors import UserError
from kd_tf.limited_read import read_limited
from kd_tf.npz import read_npz

MAX_RECORD_BYTES = 2**24
"""Largest JSON file that is read."""

Record = TypeVar("Record")


def read_record(path: Path, kind: type[Record]) -> Record:
    """Reads a JSON file into plain values of declared types.

    Args:
        path: The file.
        kind: A dataclass of numbers, strings, lists and such dataclasses; or a list of them. Keys
            that it lacks are ignored.

    Raises:
        UserError: The file is missing, is not JSON, or a value has another type.

    Example:
        >>> import tempfile
        >>> from kd_tf.training.trainer import TrainingResult
        >>> path = Path(tempfile.mkdtemp()) / "training.json"
        >>> path.write_text('{"epochs": 9, "best_epoch": 7, "best_score": 0.4, "seconds": 5.5}')
        65
        >>> read_record(path, TrainingResult).best_epoch
        7
    """
    try:
        return TypeAdapter(kind).validate_json(read_limited(path, MAX_RECORD_BYTES), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise _make_error(path, f"{field}: {first['msg']}" if field else first["msg"]) from error
    except (OSError, ValueError) as error:
        raise _make_error(path, str(error)) from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an .npz file.

    Raises:
        UserError: The file is missing or damaged.
    """
    try:
        return read_npz(path)
    except (OSError, ValueError) as error:
        raise _make_error(path, str(error)) from error


def map_array(path: Path) -> np.ndarray:
    """Maps the array of an .npy file into memory, read only.

    Raises:
        UserError: The file is missing, is no array of numbers, or is shorter than it declares.
    """
    try:
        # Unlike a read, this takes no memory for what the header declares.
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, OverflowError, EOFError) as error:
        raise _make_error(path, str(error)) from error
    return array


def create_array(path: Path, dtype: np.dtype | type, shape: tuple[int, ...]) -> np.memmap:
    """Creates an .npy file of zeros, mapped into memory to be filled.

    Its place on the disk is reserved. Without that a full disk would end the process by a signal
    when the array is filled.

    Args:
        path: The file, which must not exist.
        dtype: Type of the numbers.
        shape: Shape of the array.

    Raises:
        OSError: The disk has no place for it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "ids.npy"
        >>> array = create_array(path, np.int32, (2, 3))
        >>> array[:] = 7
        >>> array.flush()
        >>> int(map_array(path).sum())
        42
    """
    array: np.memmap = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with path.open("r+b") as file:
        _reserve(file.fileno(), path)
    return array


def _reserve(handle: int, path: Path) -> None:
    """Reserves the place of a whole file, of which the disk holds no part yet."""
    num_bytes = os.fstat(handle).st_size
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, num_bytes)
        except OSError as error:
            # Some file systems cannot reserve anything.
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
        else:
            return
    if shutil.disk_usage(path.parent).free < num_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _make_error(path: Path, what: str) -> UserError:
    return UserError(
        f"the file is damaged: {what}",
        where=str(path),
        hint=f"Delete {path.parent} and run the command again.",
    )

"""Reads and writes .npz files of plain arrays, from anybody: no pickle, and sizes before memory."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_tf import atomic

MAX_MEMBERS = 100_000
"""Largest number of arrays in a file."""

MAX_EXPANSION = 50
"""How many times its size a compressed file may hold. Histories compress to a half or a quarter,
offsets to an eighth; a file made to fill the memory reaches 1,000."""

MIN_EXPANDED_BYTES = 64 * 2**20
"""What a small file may hold however well it is compressed."""


@dataclass(frozen=True)
class ArrayLayout:
    """Data type and shape of an array that has not been read yet."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Size in memory."""
        return self.dtype.itemsize * math.prod(self.shape)


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], *, compress: bool = False) -> None:
    """Writes arrays to one file, atomically; equal arrays give equal bytes.

    Args:
        path: The file.
        arrays: Arrays of numbers by name.
        compress: Whether to compress them.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "arrays.npz"
        >>> write_npz(path, {"ids": np.array([3, 1], np.int32)})
        >>> read_layout(path)["ids"].shape
        (2,)
        >>> read_npz(path)["ids"].tolist()
        [3, 1]
    """
    stream = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(stream, allow_pickle=False, **arrays)
    atomic.write_bytes(path, stream.getvalue())


def read_layout(path: Path) -> dict[str, ArrayLayout]:
    """Reads names, data types and shapes of the arrays of a file, but not the arrays.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no .npz file of plain arrays, or what it declares does not fit its size.
    """
    with _open(path) as archive:
        return {_get_name(member): _read_header(archive, member)[0] for member in _list(archive)}


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no .npz file of plain arrays, or what it declares does not fit its size.
    """
    with _open(path) as archive:
        return {_get_name(member): _read_array(archive, member) for member in _list(archive)}


def _open(path: Path) -> zipfile.ZipFile:
    with _as_value_errors(path.name):
        return zipfile.ZipFile(path)


@contextlib.contextmanager
def _as_value_errors(name: str) -> Iterator[None]:
    """Turns what the zip module raises on damaged files into a ValueError with their name."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OverflowError,
    ) as error:
        raise ValueError(f"{name} is damaged: {error}") from error


def _list(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Lists the members of a file whose sizes can be true."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"{len(members):,} arrays, at most {MAX_MEMBERS:,} are read")
    if len({member.filename for member in members}) != len(members):
        raise ValueError("two arrays have the same name")
    num_bytes = sum(member.file_size for member in members)
    packed_bytes = Path(archive.filename or "").stat().st_size
    if num_bytes > max(MAX_EXPANSION * packed_bytes, MIN_EXPANDED_BYTES):
        raise ValueError(f"{packed_bytes:,} bytes claim to hold {num_bytes:,}")
    return members


def _get_name(member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(".npy"):
        raise ValueError(f"{member.filename!r} is not an array")
    return member.filename.removesuffix(".npy")


def _read_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[ArrayLayout, int]:
    """Reads the layout of an array and the position of its content."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    with _as_value_errors(member.filename), archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"{member.filename}: version {version} of the format is not read")
        shape, _, dtype = readers[version](file)
        begin = file.tell()
    layout = ArrayLayout(dtype, tuple(shape))
    if dtype.hasobject or dtype.fields is not None:
        raise ValueError(f"{member.filename}: {dtype} is not a type of numbers")
    if any(size < 0 for size in layout.shape) or begin + layout.num_bytes != member.file_size:
        raise ValueError(
            f"{member.filename}: {dtype} {list(layout.shape)} does not fit {member.file_size:,} "
            "bytes"
        )
    return layout, begin


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    _read_header(archive, member)
    with _as_value_errors(member.filename), archive.open(member) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))

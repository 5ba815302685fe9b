"""Finds and opens data files as publishers ship them: plain, ``.gz``, or inside a ``.zip``.

Archives are read in place; nothing is unpacked to disk.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from kd_tf.errors import UserError

MAX_COMPRESSION_RATIO = 200
"""A file that unpacks to more than this many times its packed bytes is refused. Text compresses to
a tenth, rarely to a fiftieth, of its size; zip bombs reach ratios of a thousand and more."""

ALWAYS_ALLOWED_BYTES = 64 << 20
"""Up to this size a file is unpacked at any ratio: small files of equal lines can be very dense."""


_DAMAGED_FILE_ERRORS = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    # In a damaged archive zipfile reads versions, flags and compressions that do not exist.
    NotImplementedError,
    struct.error,
)


class ByteStream(Protocol):
    """A stream of bytes that is read once, from its beginning."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes, and none at the end of the stream."""


@dataclass(frozen=True)
class SourceFile:
    """A file to read, which may lie inside a zip archive.

    Attributes:
        path: The file or the archive.
        member: The name inside the archive, or None.

    Example:
        >>> source = SourceFile(Path("ml-1m.zip"), "ml-1m/ratings.dat.gz")
        >>> print(source)
        ml-1m.zip/ml-1m/ratings.dat.gz
        >>> source.name
        'ratings.dat'
    """

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def name(self) -> str:
        """The file's name without folders and without ``.gz``."""
        name = PurePosixPath(self.member).name if self.member else self.path.name
        return name[:-3] if name.lower().endswith(".gz") else name

    def locate(self, line: int, column: str | None = None) -> str:
        """Formats a place in the file for messages: ``ratings.csv:17, column "rating"``."""
        return f"{self}:{line}" + (f', column "{column}"' if column else "")

    def format_line(self, line: int) -> str:
        """Formats a line for messages that name the file already: ``line 17``."""
        return f"line {line}"


def get_single_table(path: Path) -> SourceFile:
    """Returns the table at `path`, or the only table inside it if it is a zip archive.

    Raises:
        UserError: The file does not exist, or the archive holds no table or several.
    """
    _require_file(path)
    if path.suffix.lower() != ".zip":
        return SourceFile(path)
    files = _list_members(path)
    tables = [name for name in files if name.lower().endswith((".csv", ".tsv", ".parquet"))]
    for candidates in (files, tables):
        if len(candidates) == 1:
            return SourceFile(path, candidates[0])
    raise UserError(
        f"the zip file must hold one table, but it holds {format_names(files) or 'no files'}",
        where=str(path),
        hint="Unpack it and give the path of the table.",
    )


def locate(path: Path, pattern: str, *, dataset: str) -> SourceFile:
    """Returns the first file that matches; see `locate_all`."""
    return locate_all(path, pattern, dataset=dataset)[0]


def locate_all(path: Path, pattern: str, *, dataset: str) -> list[SourceFile]:
    """Returns the files of a published data set that match a pattern.

    Args:
        path: A folder (its sub-folders are searched too), an archive, or the file itself.
        pattern: A pattern for the file name, for example ``ratings.csv`` or
            ``combined_data_*.txt``. Files packed as ``.gz`` or ``.zip`` match as well, and so do
            files inside a zip archive.
        dataset: The name of the data set, for messages.

    Returns:
        The files, sorted by name. Plain files are preferred to packed ones, and both to files in
        an archive.

    Raises:
        UserError: No file matches.
    """
    sources = find_all(path, pattern)
    if not sources:
        contents = _list_contents(path) if path.is_dir() else path.name
        raise UserError(
            f"there is no {pattern} of {dataset}",
            where=str(path),
            hint=f"Put the published files there. It has: {contents}.",
        )
    return sources


def find_all(path: Path, pattern: str) -> list[SourceFile]:
    """Returns the files that match like `locate_all`, but an empty list if there are none.

    Raises:
        UserError: `path` does not exist, or an archive is damaged.
    """
    if path.is_dir():
        all_files = sorted(file for file in path.rglob("*") if file.is_file())
        top_files = [file for file in all_files if file.parent == path]
        for files in (top_files, all_files):
            for ending in ("", ".gz", ".zip"):
                matching = [file for file in files if _match_any(file.name, pattern + ending)]
                if matching:
                    return [_resolve_packed(file, pattern) for file in matching]
            for archive in (file for file in files if file.suffix.lower() == ".zip"):
                members = _find_in_archive(archive, pattern)
                if members:
                    return members
        return []
    _require_file(path)
    if path.suffix.lower() == ".zip":
        return _find_in_archive(path, pattern)
    return [SourceFile(path)] if _match_any(path.name, pattern, pattern + ".gz") else []


@contextlib.contextmanager
def open_stream(source: SourceFile) -> Iterator[ByteStream]:
    """Opens a file for reading and unpacks it on the fly, never to disk.

    Raises:
        UserError: The file cannot be read, is damaged, or exceeds `MAX_COMPRESSION_RATIO`.
    """
    path = source.path
    try:
        if source.member is not None:
            with (
                zipfile.ZipFile(path) as archive,
                _open_member(path, archive, source.member) as raw,
            ):
                limited_stream = _SizeLimitedStream(
                    raw, source, archive.getinfo(source.member).compress_size
                )
                if source.member.lower().endswith(".gz"):
                    with gzip.open(cast("IO[bytes]", limited_stream), "rb") as stream:
                        yield _SizeLimitedStream(
                            cast("IO[bytes]", stream), source, limited_stream.packed_bytes
                        )
                else:
                    yield limited_stream
        elif path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as stream:
                yield _SizeLimitedStream(cast("IO[bytes]", stream), source, path.stat().st_size)
        else:
            _require_file(path)
            with path.open("rb") as stream:
                yield stream
    except _DAMAGED_FILE_ERRORS as error:
        raise UserError(
            f"the compressed file is truncated, damaged, or not a {path.suffix.lower()} file "
            f"({error})",
            where=str(source),
            hint="Copy or download it again.",
        ) from error
    except OSError as error:
        raise UserError(
            f"the file cannot be read ({error.strerror or error})",
            where=str(source),
            hint="Check that the file exists and that you may read it.",
        ) from error


class _SizeLimitedStream:
    """Counts the unpacked bytes and stops at a compression ratio that no real data set has."""

    def __init__(self, stream: ByteStream, source: SourceFile, packed_bytes: int) -> None:
        self.stream, self.source, self.packed_bytes = stream, source, packed_bytes
        self.unpacked_bytes = 0

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise ValueError("read an unpacked file in parts: size must not be negative")
        block = self.stream.read(size)
        self.unpacked_bytes += len(block)
        limit = max(ALWAYS_ALLOWED_BYTES, MAX_COMPRESSION_RATIO * self.packed_bytes)
        if self.unpacked_bytes > limit:
            raise UserError(
                f"the file unpacks to more than {MAX_COMPRESSION_RATIO} times its "
                f"{self.packed_bytes:,} bytes",
                where=str(self.source),
                hint="Archives like this are made to fill memory or disk. If you trust this one, "
                "unpack it yourself and give the path of the file.",
            )
        return block


def _resolve_packed(path: Path, pattern: str) -> SourceFile:
    """Returns a plain or ``.gz`` file itself; of a ``.zip``, the matching or only table."""
    if path.suffix.lower() != ".zip":
        return SourceFile(path)
    members = _find_in_archive(path, pattern)
    return members[0] if members else get_single_table(path)


def _find_in_archive(archive: Path, pattern: str) -> list[SourceFile]:
    """Returns the files in a zip archive whose name matches."""
    return [
        SourceFile(archive, name)
        for name in _list_members(archive)
        if _match_any(PurePosixPath(name).name, pattern, pattern + ".gz")
    ]


def _list_members(path: Path) -> list[str]:
    """Returns the files in a zip archive, except those that macOS and file managers add."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (*_DAMAGED_FILE_ERRORS, UnicodeDecodeError, ValueError, OSError) as error:
        raise UserError(
            f"the compressed file is truncated, damaged, or not a .zip file ({error})",
            where=str(path),
            hint="Copy or download it again.",
        ) from error
    for name in names:
        if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            raise UserError(
                f"the archive has a file named {name!r}, which points outside of the archive",
                where=str(path),
                hint="Nothing of it was read. Download it again from its publisher.",
            )
    return sorted(
        name
        for name in names
        if not name.endswith("/")
        and not PurePosixPath(name).name.startswith(".")
        and "__MACOSX" not in name
    )


def _match_any(name: str, *patterns: str) -> bool:
    """Tells whether a file name matches one of the patterns; case does not matter."""
    return any(fnmatch.fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


def _open_member(path: Path, archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    """Opens a file in an archive."""
    try:
        return archive.open(member)
    # A password, an unknown compression, or a name that is not text.
    except (RuntimeError, NotImplementedError, UnicodeDecodeError) as error:
        raise UserError(
            f"the zip file cannot be unpacked ({error})",
            where=str(path),
            hint="Unpack it and give the path of the table.",
        ) from error


def _require_file(path: Path) -> None:
    """Raises an error with suggestions if `path` is not a file."""
    if path.is_file():
        return
    if path.is_dir():
        raise UserError(
            "this is a folder, not a file",
            where=str(path),
            hint=f"Give the path of a file in it. It has: {_list_contents(path)}.",
        )
    folder = path.parent
    if not folder.is_dir():
        hint = f"There is no folder {folder} either."
    else:
        close = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=1)
        hint = (f"Did you mean {close[0]!r}? " if close else "") + (
            f"The folder {folder} has: {_list_contents(folder)}."
        )
    raise UserError(f"there is no file {path.name!r}", where=str(path), hint=hint)


def _list_contents(folder: Path) -> str:
    """Formats the names of the entries of a folder for a message."""
    return format_names(sorted(path.name for path in folder.iterdir())) or "nothing"


def format_names(names: list[str], max_names: int = 30) -> str:
    """Formats names for a message; of a long list only the first `max_names`.

    Example:
        >>> format_names(["user", "item", "rating"], max_names=2)
        "'user', 'item' and 1 more"
    """
    shown_names = ", ".join(repr(name) for name in names[:max_names])
    return shown_names + (f" and {len(names) - max_names} more" if len(names) > max_names else "")

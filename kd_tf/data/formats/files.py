"""Files as publishers ship them: plain, .gz, or inside a .zip that stays packed."""

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
"""A file that unpacks to more than this many times its packed bytes is refused: text compresses
to a tenth, seldom to a fiftieth; archives made to fill a disk reach the thousandfold."""

ALWAYS_ALLOWED_BYTES = 64 << 20
"""So much may be unpacked whatever the ratio; small files of equal lines can be very dense."""


_DAMAGED_FILE_ERRORS = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    # zipfile meets versions, flags and compressions that no archive has.
    NotImplementedError,
    struct.error,
)


class ByteStream(Protocol):
    """What can be read once, from its beginning."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


@dataclass(frozen=True)
class SourceFile:
    """A file to read, which may lie inside a zip archive.

    Attributes:
        path: The file or the archive.
        member: The name inside the archive, or None.
    """

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def name(self) -> str:
        """The name of the table itself, without folders and without ``.gz``."""
        name = PurePosixPath(self.member).name if self.member else self.path.name
        return name[:-3] if name.lower().endswith(".gz") else name


def get_single_table(path: Path) -> SourceFile:
    """The one table that `path` is, or holds where it is a zip archive.

    Raises:
        UserError: There is no such file, or the archive holds none or several.
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
        f"the zip file must hold one table, it has {format_names(files) or 'no files'}",
        where=str(path),
        hint="Unpack it and name the table.",
    )


def locate(place: Path, pattern: str, *, dataset: str) -> SourceFile:
    """The first file that matches; see `locate_all`."""
    return locate_all(place, pattern, dataset=dataset)[0]


def locate_all(place: Path, pattern: str, *, dataset: str) -> list[SourceFile]:
    """The files of a published data set, wherever a person put them.

    Args:
        place: A folder (its sub-folders are looked at too), an archive, or the file itself.
        pattern: Of the file's name, for example ``ratings.csv`` or ``combined_data_*.txt``;
            files packed as ``.gz`` or ``.zip`` match as well, and so do those in a zip archive.
        dataset: Names the data set in messages.

    Returns:
        Sorted by name; plain files go before packed ones, and those before archives.

    Raises:
        UserError: Nothing matches.
    """
    found = find_all(place, pattern)
    if not found:
        has = _list_contents(place) if place.is_dir() else place.name
        raise UserError(
            f"there is no {pattern} of {dataset}",
            where=str(place),
            hint=f"Put the published files there. It has: {has}.",
        )
    return found


def find_all(place: Path, pattern: str) -> list[SourceFile]:
    """As `locate_all`, but empty where nothing matches.

    Raises:
        UserError: `place` does not exist, or an archive is broken.
    """
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.is_file())
        direct = [path for path in files if path.parent == place]
        for some in (direct, files):
            for ending in ("", ".gz", ".zip"):
                matching = [path for path in some if _match_any(path.name, pattern + ending)]
                if matching:
                    return [_resolve_packed(path, pattern) for path in matching]
            for archive in (path for path in some if path.suffix.lower() == ".zip"):
                inside = _find_in_archive(archive, pattern)
                if inside:
                    return inside
        return []
    _require_file(place)
    if place.suffix.lower() == ".zip":
        return _find_in_archive(place, pattern)
    return [SourceFile(place)] if _match_any(place.name, pattern, pattern + ".gz") else []


@contextlib.contextmanager
def open_stream(source: SourceFile) -> Iterator[ByteStream]:
    """The bytes of the file, unpacked as they are read and never written anywhere.

    Raises:
        UserError: The file cannot be read, is damaged, or unpacks beyond `HIGHEST_RATIO`.
    """
    path = source.path
    try:
        if source.member is not None:
            with (
                zipfile.ZipFile(path) as archive,
                _open_member(path, archive, source.member) as raw,
            ):
                limited = _SizeLimitedStream(
                    raw, source, archive.getinfo(source.member).compress_size
                )
                if source.member.lower().endswith(".gz"):
                    with gzip.open(cast("IO[bytes]", limited), "rb") as stream:
                        yield _SizeLimitedStream(
                            cast("IO[bytes]", stream), source, limited.packed_bytes
                        )
                else:
                    yield limited
        elif path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as stream:
                yield _SizeLimitedStream(cast("IO[bytes]", stream), source, path.stat().st_size)
        else:
            _require_file(path)
            with path.open("rb") as stream:
                yield stream
    except _DAMAGED_FILE_ERRORS as error:
        raise UserError(
            f"the compressed file is cut off, damaged or no {path.suffix.lower()} file ({error})",
            where=str(source),
            hint="Copy or download it again.",
        ) from error
    except OSError as error:
        raise UserError(
            f"the file cannot be read ({error.strerror or error})",
            where=str(source),
            hint="Check the file and its rights.",
        ) from error


class _SizeLimitedStream:
    """Counts what is unpacked, and stops where no honest file would go."""

    def __init__(self, stream: ByteStream, source: SourceFile, packed: int) -> None:
        self.stream, self.source, self.packed_bytes = stream, source, packed
        self.unpacked_bytes = 0

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise ValueError("an unpacked file is read in parts")
        block = self.stream.read(size)
        self.unpacked_bytes += len(block)
        if self.unpacked_bytes > max(
            ALWAYS_ALLOWED_BYTES, MAX_COMPRESSION_RATIO * self.packed_bytes
        ):
            raise UserError(
                f"the file unpacks to more than {MAX_COMPRESSION_RATIO} times its {self.packed_bytes:,} bytes",
                where=str(self.source),
                hint="Such archives are made to fill memory or disk. If this one is honest, "
                "unpack it yourself and name the file.",
            )
        return block


def _resolve_packed(path: Path, pattern: str) -> SourceFile:
    if path.suffix.lower() != ".zip":
        return SourceFile(path)
    inside = _find_in_archive(path, pattern)
    return inside[0] if inside else get_single_table(path)


def _find_in_archive(archive: Path, pattern: str) -> list[SourceFile]:
    return [
        SourceFile(archive, name)
        for name in _list_members(archive)
        if _match_any(PurePosixPath(name).name, pattern, pattern + ".gz")
    ]


def _list_members(path: Path) -> list[str]:
    """Names of the files in an archive, but for what macOS and file managers add."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (*_DAMAGED_FILE_ERRORS, UnicodeDecodeError, ValueError, OSError) as error:
        raise UserError(
            f"the compressed file is cut off, damaged or no .zip file ({error})",
            where=str(path),
            hint="Copy or download it again.",
        ) from error
    for name in names:
        if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            raise UserError(
                f"the archive has a file named {name!r}, which points outside of it",
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
    return any(fnmatch.fnmatchcase(name.casefold(), one.casefold()) for one in patterns)


def _open_member(path: Path, archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    try:
        return archive.open(member)
    # A password, an unknown compression, a name that is no text.
    except (RuntimeError, NotImplementedError, UnicodeDecodeError) as error:
        raise UserError(
            f"the zip file cannot be unpacked ({error})",
            where=str(path),
            hint="Unpack it and name the table.",
        ) from error


def _require_file(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise UserError(
            "this is a folder, not a file",
            where=str(path),
            hint=f"Name one of its files. It has: {_list_contents(path)}.",
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
    return format_names(sorted(path.name for path in folder.iterdir())) or "nothing"


def format_names(names: list[str], max_names: int = 30) -> str:
    """Names as messages show them; of very many only the first."""
    shown = ", ".join(repr(name) for name in names[:max_names])
    return shown + (f" and {len(names) - max_names} more" if len(names) > max_names else "")

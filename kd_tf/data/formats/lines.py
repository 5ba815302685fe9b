"""Reads text files in blocks of lines with line numbers, in constant memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from kd_tf.data.formats.files import SourceFile, open_stream
from kd_tf.errors import UserError

MAX_LINE_BYTES = 16 << 20
"""The longest line that is read, in bytes. No record of a known data set comes close; reading a
file without line ends stops here instead of filling the memory."""

_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class LineBlock:
    """Consecutive lines of a file.

    Attributes:
        first_line: The number of the first line, from 1.
        text: String [n], the lines without their line ends.

    Example:
        >>> block = LineBlock(5, pl.Series("text", ["ann,7", "bob,9"]))
        >>> block.line_numbers().to_list()
        [5, 6]
    """

    first_line: int
    text: pl.Series

    def line_numbers(self) -> pl.Series:
        """Returns the number of each line: Int64 [n], named "line"."""
        start = self.first_line
        return pl.int_range(start, start + len(self.text), eager=True).alias("line")


def read_lines(source: SourceFile, *, encoding: str = "utf-8") -> Iterator[LineBlock]:
    """Reads a text file block by block.

    Lines end in LF, CR LF or CR. A byte order mark at the beginning is skipped.

    Args:
        source: The file.
        encoding: ``utf-8``, or ``latin-1`` for old data sets.

    Yields:
        The lines, in blocks of about 4 MiB.

    Raises:
        UserError: The file cannot be read, is binary, UTF-16, not in `encoding` (the message names
            the line and the byte), or has a line of more than `MAX_LINE_BYTES` bytes.
    """
    first_line = 1
    rest = b""
    with open_stream(source) as stream:
        is_first_block = True
        while True:
            block = stream.read(_BLOCK_BYTES)
            if is_first_block:
                _raise_if_utf16(source, block)
                block = block.removeprefix(codecs.BOM_UTF8)
                is_first_block = False
            if b"\0" in block:
                raise _make_binary_error(source, block)
            rest += block
            # The last byte is kept back: a CR there may be one half of a CR LF.
            end = len(rest) if not block else max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, -1)) + 1
            if len(rest) - end > MAX_LINE_BYTES:
                raise UserError(
                    f"a line has more than {MAX_LINE_BYTES:,} bytes",
                    where=f"{source}, at or after line {first_line}",
                    hint="This is not a text table, or its line ends are missing.",
                )
            complete, rest = rest[:end], rest[end:]
            if complete:
                text = _decode(source, complete, first_line, encoding)
                lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
                line_block = LineBlock(
                    first_line, pl.Series("text", lines.split("\n"), dtype=pl.String)
                )
                first_line += len(line_block.text)
                yield line_block
            if not block:
                return


def detect_encoding(source: SourceFile) -> str:
    """Returns ``utf-8`` if the whole file is valid UTF-8, else ``latin-1``.

    For data sets that were published in Latin-1 and that others redistribute in UTF-8. Latin-1
    text with letters beyond ASCII is almost never valid UTF-8.

    Raises:
        UserError: The file cannot be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_stream(source) as stream:
        try:
            while block := stream.read(_BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def _decode(source: SourceFile, complete: bytes, first_line: int, encoding: str) -> str:
    """Decodes whole lines; an error names the line and the byte that cannot be decoded."""
    try:
        return complete.decode(encoding)
    except UnicodeDecodeError as error:
        before = complete[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        line = before.count(b"\n")
        position = error.start - _find_line_start(complete, error.start)
        raise UserError(
            f"the file is not {encoding.upper()}: byte {position + 1} of the line is "
            f"0x{complete[error.start]:02x}",
            where=f"{source}:{first_line + line}",
            hint=_make_conversion_hint("WINDOWS-1252"),
        ) from error


def _find_line_start(text: bytes, position: int) -> int:
    """Returns the position of the first byte of the line that `position` is in."""
    return max(text.rfind(b"\n", 0, position), text.rfind(b"\r", 0, position)) + 1


def _raise_if_utf16(source: SourceFile, beginning: bytes) -> None:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(
            "the file is UTF-16, not UTF-8",
            where=str(source),
            hint=_make_conversion_hint("UTF-16"),
        )


def _make_binary_error(source: SourceFile, beginning: bytes) -> UserError:
    """Makes the error for a file with NUL bytes; a compressed file is recognized."""
    archive_suffix = {b"PK": ".zip", b"\x1f\x8b": ".gz"}.get(beginning[:2])
    return UserError(
        "this is a binary file, not a text table (it has NUL bytes)",
        where=str(source),
        hint="Export the table as CSV in UTF-8."
        + (
            f" If it is a compressed table, its name must end in {archive_suffix}."
            if archive_suffix
            else ""
        ),
    )


def _make_conversion_hint(encoding: str) -> str:
    return (
        f"Convert it, for example: iconv -f {encoding} -t UTF-8 OLD > NEW (after -f give the "
        "encoding of the file)."
    )

"""Text files in blocks of lines: whatever their size, little memory, every line with its number."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from kd_tf.data.formats.files import SourceFile, open_stream
from kd_tf.errors import UserError

MAX_LINE_BYTES = 16 << 20
"""Bytes. No record of any known data set comes near; a file without line ends stops here instead
of filling the memory."""

_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class LineBlock:
    """Some lines that follow one another in a file.

    Attributes:
        first: The number of the first one, from 1.
        text: String [n], the lines without their ends.
    """

    first_line: int
    text: pl.Series

    def line_numbers(self) -> pl.Series:
        """Int64 [n], the number of each line."""
        return pl.int_range(self.first_line, self.first_line + len(self.text), eager=True).alias(
            "line"
        )


def read_lines(source: SourceFile, *, encoding: str = "utf-8") -> Iterator[LineBlock]:
    """Reads a text file block by block.

    Lines end in LF, CR LF or CR. A byte order mark at the beginning is passed over.

    Args:
        source: The file.
        encoding: ``utf-8``, or ``latin-1`` for publishers who never moved on.

    Raises:
        UserError: The file cannot be read, is binary, UTF-16, not in `encoding` (the line and
            the byte are named), or has a line of more than `LONGEST_LINE` bytes.
    """
    first = 1
    rest = b""
    with open_stream(source) as stream:
        beginning = True
        while True:
            block = stream.read(_BLOCK_BYTES)
            if beginning:
                _raise_if_utf16(source, block)
                block = block.removeprefix(codecs.BOM_UTF8)
                beginning = False
            if b"\0" in block:
                raise _make_binary_error(source, block)
            rest += block
            # The last byte is kept back: a CR there may be one half of a CR LF.
            end = len(rest) if not block else max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, -1)) + 1
            if len(rest) - end > MAX_LINE_BYTES:
                raise UserError(
                    f"a line has more than {MAX_LINE_BYTES:,} bytes",
                    where=f"{source}, at or after line {first}",
                    hint="This is no table in text, or its line ends are missing.",
                )
            complete, rest = rest[:end], rest[end:]
            if complete:
                text = _decode(source, complete, first, encoding)
                lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
                found = LineBlock(first, pl.Series("text", lines.split("\n"), dtype=pl.String))
                first += len(found.text)
                yield found
            if not block:
                return


def detect_encoding(source: SourceFile) -> str:
    """``utf-8`` where the whole file is that, else ``latin-1``.

    For old releases in Latin-1, which people hand on in UTF-8 as well: Latin-1 text with letters
    beyond ASCII is not UTF-8 but by a freak.

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


def _decode(source: SourceFile, complete: bytes, first: int, encoding: str) -> str:
    try:
        return complete.decode(encoding)
    except UnicodeDecodeError as error:
        before = complete[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        line = before.count(b"\n")
        position = error.start - _find_line_start(complete, error.start)
        raise UserError(
            f"the file is not {encoding.upper()}: byte {position + 1} of the line is "
            f"0x{complete[error.start]:02x}",
            where=f"{source}:{first + line}",
            hint=_make_conversion_hint("WINDOWS-1252"),
        ) from error


def _find_line_start(text: bytes, position: int) -> int:
    return max(text.rfind(b"\n", 0, position), text.rfind(b"\r", 0, position)) + 1


def _raise_if_utf16(source: SourceFile, beginning: bytes) -> None:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(
            "the file is UTF-16, not UTF-8", where=str(source), hint=_make_conversion_hint("UTF-16")
        )


def _make_binary_error(source: SourceFile, beginning: bytes) -> UserError:
    packed = {b"PK": ".zip", b"\x1f\x8b": ".gz"}.get(beginning[:2])
    return UserError(
        "this is a binary file, not a table in text (it has NUL bytes)",
        where=str(source),
        hint="Export the table as CSV in UTF-8."
        + (f" If it is a compressed table, its name must end in {packed}." if packed else ""),
    )


def _make_conversion_hint(encoding: str) -> str:
    return (
        f"Convert it, for example: iconv -f {encoding} -t UTF-8 OLD > NEW (after -f the "
        "encoding that it was written in)."
    )

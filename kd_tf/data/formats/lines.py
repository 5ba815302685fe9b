"""Reads text files in blocks of lines with line numbers, in constant memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from kd_tf.data.formats.encodings import (
    PLAIN_ENCODINGS,
    check_byte_order_mark,
    check_encoding,
    convert_to_utf8,
    make_encoding_error,
)
from kd_tf.data.formats.files import ByteStream, SourceFile, open_stream
from kd_tf.data.formats.foreign_content import has_binary_beginning, refuse_binary
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

    Lines end in LF, CR LF or CR. Byte order marks at the beginning of lines are skipped: files that
    were put together have them in the middle.

    Args:
        source: The file.
        encoding: Any text encoding of Python.

    Yields:
        The lines, in blocks of about 4 MiB.

    Raises:
        UserError: The file cannot be read, is binary, not in `encoding` (the message names the line
            and proposes an encoding), or has a line of more than `MAX_LINE_BYTES` bytes.
    """
    encoding = check_encoding(encoding)
    first_line = 1
    rest = b""
    with open_stream(source) as stream:
        for block in _read_blocks(stream, source, encoding):
            if b"\0" in block:
                refuse_binary(source, block)
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
                plain_encoding = encoding if encoding in PLAIN_ENCODINGS else "utf-8"
                text = _decode(source, complete, first_line, plain_encoding)
                text = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
                if "\ufeff" in text:
                    text = _MARKS_AT_LINE_STARTS.sub("", text)
                line_block = LineBlock(
                    first_line, pl.Series("text", text.split("\n"), dtype=pl.String)
                )
                first_line += len(line_block.text)
                yield line_block


_MARKS_AT_LINE_STARTS = re.compile("^\ufeff+", re.MULTILINE)


def _read_blocks(stream: ByteStream, source: SourceFile, encoding: str) -> Iterator[bytes]:
    """Reads blocks of the encoding if it is a plain one, and else of UTF-8; the last is empty."""
    beginning = stream.read(_BLOCK_BYTES)
    check_byte_order_mark(source, beginning, encoding)
    if has_binary_beginning(beginning):
        refuse_binary(source, beginning)
    if encoding == "latin-1":
        beginning = beginning.removeprefix(codecs.BOM_UTF8)
    unread = _Prefixed(beginning, stream)
    if encoding not in PLAIN_ENCODINGS:
        yield from convert_to_utf8(unread, source, encoding, _BLOCK_BYTES)
        return
    while True:
        block = unread.read(_BLOCK_BYTES)
        yield block
        if not block:
            return


class _Prefixed:
    """A stream whose first block was read already."""

    def __init__(self, beginning: bytes, stream: ByteStream) -> None:
        self._beginning, self._stream = beginning, stream

    def read(self, size: int) -> bytes:
        block, self._beginning = self._beginning, b""
        return block or self._stream.read(size)


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
        raise make_encoding_error(
            source,
            first_line + before.count(b"\n"),
            encoding,
            complete[error.start : error.start + 1],
            complete,
        ) from error

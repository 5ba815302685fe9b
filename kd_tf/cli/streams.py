"""Standard output and error of which no command dies: any encoding, a closed pipe, a full disk."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from kd_tf.errors import UserError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_READER_HAS_GONE = {errno.EPIPE, errno.ESHUTDOWN, errno.EINVAL}  # the last one on Windows


def wrap_standard_streams() -> None:
    """Makes stdout and stderr take everything that a command writes.

    - A character that the encoding lacks becomes ``?``.
    - After the reader has gone (``kd-tf data csv ... | head -1``), the rest is dropped. The command
      goes on: a training whose progress nobody reads has a result nevertheless.
    - If the disk is full, stderr drops the rest, and stdout raises a `UserError`, once.
    - A stream that the caller closed (``>&-``) leads nowhere. Otherwise the next file that the
      process opens would get its number, and the log lines of native libraries.

    Streams that somebody has replaced, such as a test or a notebook, stay as they are.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _open_nowhere(number)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper) and _is_file(stream):
            stream.flush()
            setattr(sys, name, _wrap(stream, is_result=number == 1))


def is_unicode(stream: TextIO) -> bool:
    """Says whether a stream can write every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith(("utf", "u8"))


def _open_nowhere(number: int) -> None:
    handle = os.open(os.devnull, os.O_WRONLY)
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)


def _is_file(stream: io.TextIOWrapper) -> bool:
    """Whether the stream writes to a file, a pipe or a terminal, but not to a Windows console.

    A Windows console takes every character, and has a class of its own.
    """
    return type(getattr(stream.buffer, "raw", stream.buffer)) is io.FileIO


def _wrap(stream: io.TextIOWrapper, *, is_result: bool) -> io.TextIOWrapper:
    output = _Output(stream.fileno(), is_result=is_result)
    return io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    """An open file descriptor that fails at most once.

    Args:
        descriptor: The descriptor; it is not closed.
        is_result: Whether it is an error that the result cannot be written.
    """

    def __init__(self, descriptor: int, *, is_result: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._is_result = is_result
        self._has_failed = False

    def write(self, content: ReadableBuffer, /) -> int:
        if not self._has_failed:
            try:
                return super().write(content)
            except OSError as error:
                self._has_failed = True
                if self._is_result and error.errno not in _READER_HAS_GONE:
                    raise UserError(
                        f"the result cannot be printed: {error.strerror}",
                        where="standard output",
                        hint="Free some space, or send the output elsewhere, and run again: "
                        "finished stages of a run are reused.",
                    ) from error
        return memoryview(content).nbytes

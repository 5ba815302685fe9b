"""Turns the bytes of an exported file into text."""

from __future__ import annotations

import re

from kd_tf.runtime.reading_lists.entries import ReadingListError

_LATIN = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
"""Windows-1252 where it differs from Latin-1."""


def decode_text(content: bytes, where: str) -> str:
    """Decodes UTF-8, or UTF-16 with a byte order mark; Latin-1 only where LibraryThing wrote it.

    Most bytes that are not UTF-8 are no text at all, and Latin-1 would decode anything. Old exports
    of LibraryThing are Latin-1, and their first line is unmistakable.

    Args:
        content: The bytes of the file.
        where: Path of the file, for the error.

    Raises:
        ReadingListError: It is no text in one of these encodings.
    """
    try:
        if content[:2] == b"\xff\xfe":
            return content[2:].decode("utf-16-le")
        if content[:2] == b"\xfe\xff":
            return content[2:].decode("utf-16-be")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        first_line = re.split(rb"[\r\n]", content[:10_000], maxsplit=1)[0]
        if b"primary author" in first_line.lower() and b"\t" in first_line:
            return content.decode("latin-1").translate(_LATIN)
        line = content.count(b"\n", 0, error.start) + 1
        hint = "Save it as UTF-8, or export it again."
        if content.startswith(b"PK"):
            hint = "It is a ZIP archive or a spreadsheet. Give the CSV file itself."
        raise ReadingListError(
            "encoding",
            "this is not text in UTF-8 or UTF-16",
            where=f"{where}:{line}",
            hint=hint,
        ) from error

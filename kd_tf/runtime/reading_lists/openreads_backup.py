"""The backup of Openreads: a ZIP archive with the books as JSON, or that JSON by itself."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

from kd_tf.runtime.reading_lists.entries import ReadingListError
from kd_tf.runtime.reading_lists.records import Record

BOOKS_FILE = "books.backup"
COLUMNS = (
    "title",
    "author",
    "isbn",
    "status",
    "rating",
    "tags",
    "deleted",
    "readings",
    "start_date",
    "finish_date",
    "date_added",
)
_STATUSES = ("finished", "in_progress", "planned", "abandoned")


def unpack_backup(content: bytes, max_bytes: int) -> bytes | None:
    """Takes the file with the books out of a backup.

    Args:
        content: The bytes of a file.
        max_bytes: What the file with the books may have.

    Returns:
        Its bytes, at most one more than `max_bytes`; None if the file is no such archive.
    """
    if not content.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(BOOKS_FILE) as books:
            return books.read(max_bytes + 1)
    except (
        zipfile.BadZipFile,
        KeyError,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
        # A directory that has moved points before the file.
        ValueError,
        zlib.error,
    ):
        return None


def split_backup(text: str, where: str) -> list[Record]:
    """Turns the books of a backup into records like those of a table, with a header.

    Args:
        text: JSON objects, with ``@@@@@`` between them; or a JSON array of such objects.
        where: Path of the file, for the error.

    Raises:
        ReadingListError: It is not such JSON.
    """
    if text.lstrip().startswith("["):
        texts = [text]
    else:
        # Old backups have another separator, which tags have too.
        texts = text.replace("}|||||{", "}@@@@@{").split("@@@@@")
    books: list[Any] = []
    for number, book_text in enumerate(texts, start=1):
        try:
            value = json.loads(book_text)
        except (ValueError, RecursionError) as error:
            raise _make_damaged_error(number, where) from error
        books += value if isinstance(value, list) else [value]
    records = [Record(0, list(COLUMNS))]
    for number, book in enumerate(books, start=1):
        if not isinstance(book, dict) or not isinstance(book.get("title"), str):
            raise _make_damaged_error(number, where)
        records.append(Record(number, [_make_cell(name, book.get(name)) for name in COLUMNS]))
    return records


def _make_cell(name: str, value: Any) -> str:
    """Writes a value as the CSV export of Openreads does."""
    if name == "status" and value in range(len(_STATUSES)):
        return _STATUSES[value]
    if name == "rating" and isinstance(value, int | float) and value in range(1000):
        return str(value / 10)
    if isinstance(value, list):
        return ";".join(text for text in value if isinstance(text, str))
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _make_damaged_error(number: int, where: str) -> ReadingListError:
    return ReadingListError(
        "damaged-backup",
        f"book {number} is not a book as Openreads writes it",
        where=where,
        hint="JSON is read from Openreads only. Of other services give the CSV or TSV file.",
    )

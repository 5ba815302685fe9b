"""Reads a reading list from a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from kd_tf.runtime.reading_lists.dates import detect_day_first, list_dates, parse_date
from kd_tf.runtime.reading_lists.decode import decode_text
from kd_tf.runtime.reading_lists.entries import ReadingList, ReadingListEntry, ReadingListError
from kd_tf.runtime.reading_lists.formats import OPENREADS, ReadingListFormat, detect_format
from kd_tf.runtime.reading_lists.isbns import list_isbns
from kd_tf.runtime.reading_lists.openreads_backup import split_backup, unpack_backup
from kd_tf.runtime.reading_lists.records import Record, split_records
from kd_tf.runtime.reading_lists.statuses import choose_status

MAX_BYTES = 20_000_000
"""Bytes of a file; exports of the largest libraries have far fewer."""

MAX_RATING = 5.0


def read_reading_list(path: str | Path) -> ReadingList:
    """Reads what Goodreads or another service exported.

    Args:
        path: A CSV or TSV file, or a backup of Openreads.

    Returns:
        The books of the file. The names of its columns tell its format.

    Raises:
        ReadingListError: The file is missing or too large, is no text, breaks off, has no column
            "Title" or no books. The message says where.
    """
    where = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReadingListError(
            "unreadable",
            f"this file cannot be read: {error.strerror or error}",
            where=where,
            hint="Give the path of the file that the service exported.",
        ) from error
    _check_size(content, where)
    backup = unpack_backup(content, MAX_BYTES)
    if backup is not None:
        content = backup
        _check_size(content, where)
    text = decode_text(content, where)
    if text.lstrip()[:1] in ("{", "["):
        records, reading_format = split_backup(text, where), OPENREADS
    else:
        records = split_records(text, where)
        reading_format = detect_format(_list_columns(records))
    table = _Table(records, where)
    if not table.rows:
        raise ReadingListError("no-rows", "there are no books in this file", where=where)
    return _make_reading_list(table, reading_format, where)


def _check_size(content: bytes, where: str) -> None:
    if len(content) > MAX_BYTES:
        raise ReadingListError(
            "too-large",
            f"this file has more than {MAX_BYTES // 1_000_000} MB, more than any reading list",
            where=where,
            hint="Give the file that the service exported.",
        )


def _list_columns(records: Sequence[Record]) -> list[str]:
    return [name.lower() for name in records[0].cells] if records else []


class _Table:
    """Rows whose cells are looked up by the name of their column."""

    def __init__(self, records: list[Record], where: str) -> None:
        names = _list_columns(records)
        if "title" not in names:
            raise ReadingListError(
                "no-title-column",
                'there is no column "Title"',
                where=f"{where}:{records[0].line}" if records else where,
                hint="The first line must name the columns, as in the exports of Goodreads, "
                "StoryGraph and others. Old exports of Open Library have no titles: export again.",
            )
        self._positions = {name: index for index, name in reversed(list(enumerate(names)))}
        # Openreads keeps what was deleted.
        self.rows = [row for row in records[1:] if self.get(row, "deleted").lower() not in _TRUE]

    def get(self, row: Record, name: str) -> str:
        """Returns a cell; empty if the row or the table does not have it."""
        index = self._positions.get(name, len(row.cells))
        return row.cells[index] if index < len(row.cells) else ""

    def list_cells(self, row: Record, names: Iterable[str]) -> list[str]:
        """Lists the cells of these columns that are not empty."""
        return [cell for name in names if (cell := self.get(row, name))]

    def get_first(self, row: Record, names: Iterable[str]) -> str:
        """Returns the first cell of these columns that is not empty."""
        return next(iter(self.list_cells(row, names)), "")


_TRUE = frozenset({"true", "1"})


def _make_reading_list(table: _Table, columns: ReadingListFormat, where: str) -> ReadingList:
    date_columns = (*columns.finish_date, *columns.added_date, *columns.start_date)
    is_day_first = detect_day_first(
        text
        for row in table.rows
        for cell in table.list_cells(row, (*date_columns, *columns.stop_date))
        for text in list_dates(cell)
    )
    ratings = [_parse_rating(table.get_first(row, columns.rating)) for row in table.rows]
    scale = _choose_rating_scale(ratings)
    entries, unclear_dates = [], []
    for row, rating in zip(table.rows, ratings, strict=True):
        read_count = table.get_first(row, columns.read_count)
        status, is_assumed = choose_status(
            table.list_cells(row, columns.shelf),
            table.list_cells(row, columns.tags),
            is_stopped=_has_date(table, row, columns.stop_date),
            is_finished=rating > 0
            or _has_date(table, row, columns.finish_date)
            or read_count not in ("", "0"),
            is_started=_has_date(table, row, columns.start_date),
            is_unread=read_count == "0",
        )
        date = 0
        for cell in table.list_cells(row, date_columns):
            texts = list_dates(cell)
            date = max((parse_date(text, is_day_first) for text in texts), default=0)
            if date:
                break
            if texts and status == "read":
                unclear_dates.append((row.line, cell))
        author = table.get_first(row, columns.author)
        entries.append(
            ReadingListEntry(
                line=row.line,
                title=table.get(row, "title"),
                author=author,
                authors=",".join([author, *table.list_cells(row, columns.more_authors)]),
                isbns=tuple(
                    isbn
                    for cell in table.list_cells(row, columns.isbns)
                    for isbn in list_isbns(cell)
                ),
                status=status,
                is_assumed=is_assumed,
                rating=rating / scale or None,
                date=date,
            )
        )
    return ReadingList(where, columns, entries, unclear_dates)


def _has_date(table: _Table, row: Record, names: Iterable[str]) -> bool:
    return any(list_dates(cell) for cell in table.list_cells(row, names))


def _parse_rating(cell: str) -> float:
    """Returns a rating; 0 if there is none."""
    match = re.fullmatch("[0-9]{1,3}(?:[.,][0-9]{1,9})?", cell)
    return float(cell.replace(",", ".")) if match else 0.0


def _choose_rating_scale(ratings: Iterable[float]) -> float:
    """Returns what ratings are divided by: 1 for those up to 5, 2 up to 10, and 20 above."""
    highest = max(ratings, default=0.0)
    if highest <= MAX_RATING:
        return 1.0
    return 2.0 if highest <= 2 * MAX_RATING else 20.0

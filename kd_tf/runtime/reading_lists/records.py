"""Splits text into records of cells: CSV as services and spreadsheets write it, and TSV."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kd_tf.runtime.reading_lists.entries import ReadingListError


@dataclass(frozen=True, slots=True)
class Record:
    """A row with any content.

    Attributes:
        line: The line in which it begins.
        cells: Its cells without surrounding blanks.
    """

    line: int
    cells: list[str]


_FIRST_LINE = re.compile(r"[\s,;]*([^\r\n]*)")
_EXCEL_SEPARATOR = re.compile("sep=([,;\t])", re.IGNORECASE)
_LINE_END = re.compile("\r\n|\r|\n")


def split_records(text: str, where: str) -> list[Record]:
    """Splits a text into its records; those whose every cell is blank are left out.

    The separator is the comma, the semicolon or the tab, whichever is the most frequent outside
    quotes in the first line. Where it is the tab, quotes are characters, because the titles of
    LibraryThing have them; only what they enclose entirely loses them.

    Args:
        text: The whole file.
        where: Path of the file, for the error.

    Raises:
        ReadingListError: A quote is not closed. What follows it would be lost.
    """
    match = _FIRST_LINE.match(text)
    first_line = match[1] if match else ""
    excel = _EXCEL_SEPARATOR.fullmatch(first_line.strip('"'))
    bare_line = re.sub('"[^"]*"', "", first_line)
    separator = excel[1] if excel else max(",\t;", key=bare_line.count)
    records = _split_lines(text) if separator == "\t" else _split_quoted(text, separator, where)
    # Spreadsheets name the separator in a line of its own, before the header.
    return records[1:] if excel else records


def _split_lines(text: str) -> list[Record]:
    records = []
    for number, line in enumerate(_LINE_END.split(text), start=1):
        cells = [_strip_quotes(cell.strip()) for cell in line.split("\t")]
        if any(cells):
            records.append(Record(number, cells))
    return records


def _strip_quotes(cell: str) -> str:
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        inner = cell[1:-1]
        if '"' not in inner.replace('""', ""):
            return inner.replace('""', '"').strip()
    return cell


def _split_quoted(text: str, separator: str, where: str) -> list[Record]:
    # Possessive quantifiers: time grows with the length of the text, whatever it contains.
    cell_pattern = re.compile(
        rf'(?:"([^"]*+(?:""[^"]*+)*+)("?+))?+([^{separator}\r\n]*+)({separator}|\r\n|\r|\n|\Z)'
    )
    records: list[Record] = []
    cells: list[str] = []
    position = record_start = 0
    line = 1
    while position < len(text):
        match = cell_pattern.match(text, position)
        assert match is not None
        in_quotes, closing_quote, rest, end = match.groups()
        if closing_quote == "":
            raise ReadingListError(
                "unclosed-quote",
                "a quote opens that is never closed, so the end of the file is missing",
                where=f"{where}:{line + _count_line_ends(text, record_start, position)}",
                hint="Export the file again.",
            )
        cell = rest if in_quotes is None else in_quotes.replace('""', '"') + rest
        cells.append(cell.strip())
        position = match.end()
        if end == separator:
            continue
        if any(cells):
            records.append(Record(line, cells))
        line += _count_line_ends(text, record_start, position)
        cells, record_start = [], position
    if any(cells):
        records.append(Record(line, cells))
    return records


def _count_line_ends(text: str, begin: int, end: int) -> int:
    return (
        text.count("\n", begin, end) + text.count("\r", begin, end) - text.count("\r\n", begin, end)
    )

"""Reads delimited tables (CSV and relatives), with or without a header.

Every error names the line that it is in.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.files import SourceFile, format_names
from kd_tf.data.formats.lines import MAX_LINE_BYTES, LineBlock, read_lines
from kd_tf.errors import UserError

BLANK = " "
SEPARATORS = (",", ";", "\t", "|", "::", BLANK)
"""The separators that are detected; if the first line fits several equally, the first one wins."""

# An unclosed quote swallows all lines after it; stop at the length where any line stops.
csv.field_size_limit(MAX_LINE_BYTES)


@dataclass(frozen=True)
class Dialect:
    """The format of a delimited file.

    Attributes:
        separator: The text between fields, or None to detect it from the first line.
        has_header: Whether the first line names the columns; None to detect it.
        has_quotes: Whether fields may stand in double quotes, as in RFC 4180. If False, quotes
            are ordinary text.
        escape_char: A character that escapes a quote inside a quoted field, in addition to
            doubling the quote; or None.
        encoding: ``utf-8`` or ``latin-1``.
    """

    separator: str | None = None
    has_header: bool | None = None
    has_quotes: bool = True
    escape_char: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True)
class TableLayout:
    """The layout of a table, detected from its first line.

    Attributes:
        separator: The text between fields.
        has_header: Whether the first line names the columns.
        column_names: The names of the columns; empty without a header.
        num_fields: The number of fields in the first line.
    """

    separator: str
    has_header: bool
    column_names: list[str]
    num_fields: int


def read_table(
    source: SourceFile,
    columns: Mapping[str, str],
    bad_rows: BadRows,
    *,
    dialect: Dialect | None = None,
) -> Iterator[pl.DataFrame]:
    """Reads some columns of a table block by block, with every value as text.

    The file is plain, ``.gz`` or inside a ``.zip``. The separator is a comma in ``.csv`` and a
    tab in ``.tsv``. If the first line does not contain it, and in files with other names, the
    separator is detected (see `SEPARATORS`). Fields in quotes may contain separators, doubled
    quotes, and line ends, which all become LF. In a file with a header, columns are found by
    name. In a file without one, they stand in the order of `columns`, and further fields are
    ignored. A first line that contains a number is not a header. Blank lines are skipped.

    Args:
        source: The file.
        columns: Role -> column name in the header. The roles name the columns of the result.
        bad_rows: Gets the rows whose number of fields differs from that of the first line. The
            caller parses the columns of each block and then calls `BadRows.raise_or_skip`.
        dialect: The format of the file; by default all of it is detected.

    Yields:
        Column ``line`` (Int64, the line of the file where the row begins, from 1) and one String
        column per role.

    Raises:
        UserError: The file is missing, damaged, binary, empty or in another encoding; a column is
            missing or named twice; or a quote is never closed, so that the end of its row is
            unknown.
    """
    dialect = dialect or Dialect()
    layout = read_layout(source, columns, dialect=dialect)
    positions = _find_positions(source, layout, columns)
    width = layout.num_fields
    if not layout.has_header:
        # Without names, fields are identified by their order. Fields after the requested ones are
        # ignored, but every row must have the same number of them.
        width = max(width, len(columns))
    blocks = read_lines(source, encoding=dialect.encoding)
    skip_header = layout.has_header
    for lines in blocks:
        if dialect.has_quotes and lines.text.str.contains('"', literal=True).any():
            frame = _parse_quoted(
                source, lines, blocks, layout.separator, dialect, width, bad_rows, positions
            )
        else:
            frame = _split_unquoted(lines, layout.separator, width, bad_rows, positions)
        frame = frame.rename({f"field_{index}": role for role, index in positions.items()})
        if skip_header and len(frame):
            frame, skip_header = frame.slice(1), False
        yield frame.select("line", *columns)


def parse_column(
    frame: pl.DataFrame,
    role: str,
    parser: Callable[[pl.Series], pl.Series],
    bad_rows: BadRows,
    *,
    column: str,
    reason: str,
) -> pl.DataFrame:
    """Parses a column and drops the rows for which `parser` returns null.

    Args:
        frame: A block of `read_table`.
        role: The column of `frame`.
        parser: Strings [n] -> values [n], null where a text cannot be parsed.
        bad_rows: Gets the rows that cannot be parsed.
        column: The column's name in the file.
        reason: Follows the value in messages, for example "is not a number".

    Returns:
        The rows that could be parsed, with the values in place of the texts.
    """
    values = parser(frame[role]).alias(role)
    if not values.null_count():
        return frame.with_columns(values)
    is_bad = values.is_null()
    failures = frame.filter(is_bad)
    bad_rows.add_all(failures["line"], failures[role], reason, column)
    return frame.with_columns(values).filter(~is_bad)


def read_layout(
    source: SourceFile, columns: Mapping[str, str] | None = None, *, dialect: Dialect | None = None
) -> TableLayout:
    """Detects the layout of a table from its first line.

    Args:
        source: The file.
        columns: Role -> column name. If all names are in the first line, it is the header.
        dialect: The parts of the format that are known.

    Raises:
        UserError: The file cannot be read or is empty, or its first line cannot be parsed.
    """
    dialect = dialect or Dialect()
    beginning = next(read_lines(source, encoding=dialect.encoding), None)
    text = "" if beginning is None else "\n".join(beginning.text.head(1000))
    if not text.strip():
        raise UserError(
            "the file is empty", where=str(source), hint="Give a table with at least one row."
        )
    separator = dialect.separator
    if separator is None:
        num_fields = {
            candidate: len(_parse_first_record(text, candidate, dialect))
            for candidate in SEPARATORS
        }
        usual_separator = {".csv": ",", ".tsv": "\t"}.get(source.name[-4:].lower())
        if usual_separator is None or num_fields[usual_separator] < 2:
            separator = max(SEPARATORS, key=num_fields.__getitem__)
            # Blanks occur inside names and titles as well.
            if separator == BLANK:
                separator = max(SEPARATORS[:-1], key=num_fields.__getitem__)
                separator = separator if num_fields[separator] > 1 else BLANK
        else:
            separator = usual_separator
    record = _parse_first_record(text, separator, dialect)
    if not record:
        raise UserError(
            "the first line has a quote that is not closed properly",
            where=f"{source}:1",
            hint="Close the quote, or double every quote inside a quoted field.",
        )
    has_header = dialect.has_header
    if has_header is None:
        has_all_names = columns is not None and set(columns.values()) <= set(record)
        has_header = has_all_names or not any(_is_number(field) for field in record)
    return TableLayout(separator, has_header, record if has_header else [], len(record))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parse_first_record(text: str, separator: str, dialect: Dialect) -> list[str]:
    """Returns the fields of the first record; an empty list if its quotes are wrong."""
    if len(separator) > 1 or not dialect.has_quotes:
        first_line = next((line for line in text.split("\n") if line), "")
        return [] if dialect.has_quotes and '"' in first_line else first_line.split(separator)
    records = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        escapechar=dialect.escape_char,
        strict=True,
    )
    try:
        return next((record for record in records if record), [])
    except csv.Error:
        return []


def _find_positions(
    source: SourceFile, layout: TableLayout, columns: Mapping[str, str]
) -> dict[str, int]:
    """Returns role -> index of the column in a row."""
    where = f"{source}:1"
    for name, count in Counter(columns.values()).items():
        if count > 1:
            roles = [role for role in columns if columns[role] == name]
            raise UserError(
                f"column {name!r} was given for {' and for '.join(roles)}",
                where=where,
                hint="Give another column for one of them, or leave it out.",
            )
    names = layout.column_names
    if not layout.has_header:
        if layout.num_fields < len(columns):
            raise UserError(
                f"the first row has {layout.num_fields} fields, but {len(columns)} columns are "
                f"needed ({', '.join(columns)})",
                where=where,
                hint="Without a header the columns are taken in order. Use fewer columns, or check "
                "the separator: it must be a comma, semicolon, tab, |, :: or blank.",
            )
        return {role: index for index, role in enumerate(columns)}
    for name, count in Counter(names).items():
        if count > 1 and name:  # exports often leave several columns without a name
            raise UserError(
                f"{count} columns are named {name!r}",
                where=where,
                hint="Give every column a different name.",
            )
    for name in columns.values():
        if name not in names:
            raise UserError(
                f"there is no column {name!r}; the columns are {format_names(names)}",
                where=where,
                hint=_make_column_hint(name, names),
            )
    return {role: names.index(name) for role, name in columns.items()}


def _make_column_hint(name: str, names: list[str]) -> str:
    """Suggests a column in place of one that does not exist."""
    if len(names) == 1:
        return "Check the separator: it must be a comma, semicolon, tab, |, :: or blank."
    folded_names = {other.strip().casefold(): other for other in reversed(names) if other}
    close = difflib.get_close_matches(name.strip().casefold(), folded_names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {folded_names[close[0]]!r}?"
    return "Use one of these columns. If this line is data and not a header, use --no-header."


def _split_unquoted(
    lines: LineBlock, separator: str, width: int, bad_rows: BadRows, positions: Mapping[str, int]
) -> pl.DataFrame:
    """Splits a block without quotes, where every line is a row."""
    frame = pl.DataFrame([lines.line_numbers(), lines.text]).filter(pl.col("text") != "")
    count = frame["text"].str.count_matches(separator, literal=True) + 1
    if (count != width).any():
        wrong = frame.filter(count != width)
        for line, text, num_fields in zip(
            wrong["line"], wrong["text"], count.filter(count != width), strict=True
        ):
            bad_rows.add(line, text, f"has {num_fields} fields, the first line has {width}")
        frame = frame.filter(count == width)
    fields = frame["text"].str.split_exact(separator, width - 1).struct.unnest()
    names = [f"field_{index}" for index in positions.values()]
    return fields.select(names).insert_column(0, frame["line"])


def _parse_quoted(
    source: SourceFile,
    lines: LineBlock,
    blocks: Iterator[LineBlock],
    separator: str,
    dialect: Dialect,
    width: int,
    bad_rows: BadRows,
    positions: Mapping[str, int],
) -> pl.DataFrame:
    """Parses a block with quotes with Python's csv module.

    The parser of polars fills up short rows, accepts text after a closing quote, and does not
    report line numbers. If a record continues in the next block, that block is consumed as well.
    """
    if len(separator) > 1:
        raise UserError(
            f"fields in quotes cannot be separated by {separator!r}",
            where=str(source),
            hint="Write the table with commas or tabs.",
        )
    text = lines.text.to_list()
    num_fed = 0

    def feed() -> Iterator[str]:
        nonlocal num_fed
        while True:
            while num_fed < len(text):
                num_fed += 1
                yield text[num_fed - 1] + "\n"
            next_block = next(blocks, None)
            if next_block is None:
                return
            text.extend(next_block.text)

    numbers: list[int] = []
    rows: list[list[str]] = []
    records = csv.reader(feed(), delimiter=separator, escapechar=dialect.escape_char, strict=True)
    # If all lines were fed, a record has just ended; reading on would only consume the next block.
    while num_fed < len(text):
        begin = lines.first_line + num_fed
        try:
            row = next(records, None)
        except csv.Error as error:
            end = lines.first_line + num_fed - 1
            bad_rows.add(begin, "", _explain_quote_error(source, begin, end, error))
            continue
        if not row:
            continue
        if len(row) == width:
            numbers.append(begin)
            rows.append(row)
        else:
            end = lines.first_line + num_fed - 1
            line_range = f" (lines {begin} to {end})" if end > begin else ""
            bad_rows.add(
                begin,
                separator.join(row),
                f"has {len(row)} fields, the first line has {width}{line_range}",
            )
    return pl.DataFrame(
        {
            "line": pl.Series(numbers, dtype=pl.Int64),
            **{
                f"field_{index}": pl.Series([row[index] for row in rows], dtype=pl.String)
                for index in positions.values()
            },
        }
    )


def _explain_quote_error(source: SourceFile, line: int, last_line: int, error: csv.Error) -> str:
    """Returns why a single line is bad; raises if the error may have consumed further lines."""
    if "expected after" in str(error) and line == last_line:
        return "has a quote inside a quoted field that is not doubled"
    raise UserError(
        f"a quote that opens in this row is not closed properly ({error}, line {last_line})",
        where=f"{source}:{line}",
        hint='Close the quote, or double every quote inside a quoted field (""). Such a row '
        "cannot be skipped, because it is unknown where it ends.",
    )

"""Delimited tables with or without a header, read so that every fault is named by its line."""

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
"""What can stand between two fields; where the first line leaves a doubt, the first one wins."""

# An unclosed quote swallows all that follows: it ends where no line of any file would.
csv.field_size_limit(MAX_LINE_BYTES)


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written.

    Attributes:
        separator: Between fields, or None to find it in the first line.
        header: Whether the first line names the columns; None to find out.
        quoted: Fields may stand in double quotes, as in RFC 4180; False takes quotes as text.
        escape: What makes a quote inside a quoted field text, beside doubling it; or None.
        encoding: ``utf-8`` or ``latin-1``.
    """

    separator: str | None = None
    has_header: bool | None = None
    has_quotes: bool = True
    escape_char: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True)
class TableLayout:
    """What the first line of a file tells.

    Attributes:
        separator: Between fields.
        header: Whether the first line names the columns.
        names: The columns' names; empty without a header.
        fields: How many fields the first line has.
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
    """Reads the asked columns block by block, every value as the text that it is.

    The file is plain, ``.gz`` or inside a ``.zip``. The separator is a comma in ``.csv`` and a
    tab in ``.tsv``; where the first line has none of them, and in files of other names, it is
    found (see `SEPARATORS`). Fields in quotes may hold separators, doubled quotes, and line ends,
    which all become LF. Where the file has a header the columns are found by name; where it
    has none they stand in the order of `columns`, and fields beyond them are not looked at. A
    first line with a number in it is no header. Blank lines are passed over.

    Args:
        source: The file.
        columns: The header's name for each role; roles name the columns of the result.
        bad: Gets the rows with another number of fields than the first line; who takes a block
            settles it, after parsing the columns.
        dialect: How the file is written; by default all of it is found out.

    Yields:
        Column ``line`` (Int64, the line of the file that the row begins at, from 1) and one
        String column a role.

    Raises:
        UserError: The file is missing, broken, binary, empty or in another encoding; a column is
            missing or named twice; a quote is never closed, so that nobody can tell where a row
            ends.
    """
    dialect = dialect or Dialect()
    layout = read_layout(source, columns, dialect=dialect)
    positions = _find_positions(source, layout, columns)
    width = layout.num_fields
    if not layout.has_header:
        # Without names only the order tells what a field is; those after the asked ones do not
        # matter, but must be there in every row alike.
        width = max(width, len(columns))
    blocks = read_lines(source, encoding=dialect.encoding)
    skip_header = layout.has_header
    for lines in blocks:
        quoted = dialect.has_quotes and bool(lines.text.str.contains('"', literal=True).any())
        if quoted:
            frame = _parse_quoted(
                source, lines, blocks, layout.separator, dialect, width, bad_rows, positions
            )
        else:
            frame = _split_unquoted(lines, layout.separator, width, bad_rows, positions)
        frame = frame.rename({f"field_{at}": role for role, at in positions.items()})
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
    """The rows with a column parsed, without those for which `parser` gives null.

    Args:
        frame: From `read_table`.
        role: The column.
        parser: Strings [n] -> values [n], null where a string is none.
        bad: Gets the rows that fail.
        column: The column's name in the file.
        reason: Follows the value in messages, for example "is not a number".
    """
    values = parser(frame[role]).alias(role)
    if not values.null_count():
        return frame.with_columns(values)
    fails = values.is_null()
    failed = frame.filter(fails)
    bad_rows.add_all(failed["line"], failed[role], reason, column)
    return frame.with_columns(values).filter(~fails)


def read_layout(
    source: SourceFile, columns: Mapping[str, str] | None = None, *, dialect: Dialect | None = None
) -> TableLayout:
    """What the first line of a file tells; raises what `read_table` raises for it.

    Args:
        source: The file.
        columns: The asked columns: where all of them stand in the first line it is the header.
        dialect: What is known already.
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
        found = {one: _parse_first_record(text, one, dialect) for one in SEPARATORS}
        expected = {".csv": ",", ".tsv": "\t"}.get(source.name[-4:].lower())
        if expected is None or len(found[expected]) < 2:
            separator = max(SEPARATORS, key=lambda one: len(found[one]))
            # Blanks stand inside names and titles as well.
            if separator == BLANK:
                separator = max(SEPARATORS[:-1], key=lambda one: len(found[one]))
                separator = separator if len(found[separator]) > 1 else BLANK
        else:
            separator = expected
    record = _parse_first_record(text, separator, dialect)
    if not record:
        raise UserError(
            "the first line has a quote that is not closed properly",
            where=f"{source}:1",
            hint="Close the quote, or double every quote inside a quoted field.",
        )
    header = dialect.has_header
    if header is None:
        named = columns is not None and set(columns.values()) <= set(record)
        header = named or not any(_is_number(field) for field in record)
    return TableLayout(separator, header, record if header else [], len(record))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parse_first_record(text: str, separator: str, dialect: Dialect) -> list[str]:
    if len(separator) > 1 or not dialect.has_quotes:
        first = next((line for line in text.split("\n") if line), "")
        return [] if dialect.has_quotes and '"' in first else first.split(separator)
    user = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        escapechar=dialect.escape_char,
        strict=True,
    )
    try:
        return next((row for row in user if row), [])
    except csv.Error:
        return []


def _find_positions(
    source: SourceFile, layout: TableLayout, columns: Mapping[str, str]
) -> dict[str, int]:
    """Where in a row the column of each role stands."""
    where = f"{source}:1"
    for name, count in Counter(columns.values()).items():
        if count > 1:
            roles = [role for role in columns if columns[role] == name]
            raise UserError(
                f"column {name!r} was given for {' and for '.join(roles)}",
                where=where,
                hint="Name another column for one of them, or leave it out.",
            )
    if not layout.has_header:
        if layout.num_fields < len(columns):
            raise UserError(
                f"the first row has {layout.num_fields} fields, but {len(columns)} columns are asked "
                f"for ({', '.join(columns)})",
                where=where,
                hint="Without a header the columns are taken in order. Ask for fewer, or check "
                "the separator: it is one of comma, semicolon, tab, |, :: and blank.",
            )
        return {role: at for at, role in enumerate(columns)}
    for name, count in Counter(layout.column_names).items():
        if count > 1 and name:  # exports often leave several columns without a name
            raise UserError(
                f"{count} columns are named {name!r}",
                where=where,
                hint="Give every column a name of its own.",
            )
    for name in columns.values():
        if name not in layout.column_names:
            raise UserError(
                f"there is no column {name!r}; the columns are {format_names(layout.column_names)}",
                where=where,
                hint=_make_column_hint(name, layout.column_names),
            )
    return {role: layout.column_names.index(name) for role, name in columns.items()}


def _make_column_hint(name: str, names: list[str]) -> str:
    if len(names) == 1:
        return "Is the separator one of comma, semicolon, tab, |, :: and blank?"
    folded = {other.strip().casefold(): other for other in reversed(names) if other}
    close = difflib.get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {folded[close[0]]!r}?"
    return "Name one of these columns; if this line is a row and no header, say so (--no-header)."


def _split_unquoted(
    lines: LineBlock, separator: str, width: int, bad: BadRows, positions: Mapping[str, int]
) -> pl.DataFrame:
    """Rows of a block without quotes: a row a line."""
    frame = pl.DataFrame([lines.line_numbers(), lines.text]).filter(pl.col("text") != "")
    count = frame["text"].str.count_matches(separator, literal=True) + 1
    if (count != width).any():
        wrong = frame.filter(count != width)
        for line, text, fields in zip(
            wrong["line"], wrong["text"], count.filter(count != width), strict=True
        ):
            bad.add(line, text, f"has {fields} fields, the first line has {width}")
        frame = frame.filter(count == width)
    fields = frame["text"].str.split_exact(separator, width - 1).struct.unnest()
    return fields.select(f"field_{at}" for at in positions.values()).insert_column(0, frame["line"])


def _parse_quoted(
    source: SourceFile,
    lines: LineBlock,
    blocks: Iterator[LineBlock],
    separator: str,
    dialect: Dialect,
    width: int,
    bad: BadRows,
    positions: Mapping[str, int],
) -> pl.DataFrame:
    """Rows of a block with quotes, by Python's own parser.

    That of polars fills up short rows, takes what follows a closing quote, and does not tell
    lines. A record that goes on in the next block takes that block along.
    """
    if len(separator) > 1:
        raise UserError(
            f"fields in quotes cannot be separated by {separator!r}",
            where=str(source),
            hint="Write the table with commas or tabs.",
        )
    text = lines.text.to_list()
    fed = 0

    def feed() -> Iterator[str]:
        nonlocal fed
        while True:
            while fed < len(text):
                fed += 1
                yield text[fed - 1] + "\n"
            following = next(blocks, None)
            if following is None:
                return
            text.extend(following.text)

    numbers: list[int] = []
    rows: list[list[str]] = []
    user = csv.reader(feed(), delimiter=separator, escapechar=dialect.escape_char, strict=True)
    # All lines fed means that a record has just ended: going on would only pull the next block.
    while fed < len(text):
        begin = lines.first_line + fed
        try:
            row = next(user, None)
        except csv.Error as error:
            end = lines.first_line + fed - 1
            bad.add(begin, "", _explain_quote_error(source, begin, end, error))
            continue
        if not row:
            continue
        if len(row) == width:
            numbers.append(begin)
            rows.append(row)
        else:
            end = lines.first_line + fed - 1
            until = f" (lines {begin} to {end})" if end > begin else ""
            bad.add(
                begin,
                separator.join(row),
                f"has {len(row)} fields, the first line has {width}{until}",
            )
    return pl.DataFrame(
        {
            "line": pl.Series(numbers, dtype=pl.Int64),
            **{
                f"field_{at}": pl.Series([row[at] for row in rows], dtype=pl.String)
                for at in positions.values()
            },
        }
    )


def _explain_quote_error(source: SourceFile, line: int, last_line: int, error: csv.Error) -> str:
    """Why one line is bad; raises where the fault may have swallowed more than that line."""
    if "expected after" in str(error) and line == last_line:
        return "has a quote inside a quoted field that is not doubled"
    raise UserError(
        f"a quote that opens in this row is not closed properly ({error}, line {last_line})",
        where=f"{source}:{line}",
        hint='Close the quote, or double every quote inside a quoted field (""). Such a row '
        "cannot be skipped, because nobody can tell where it ends.",
    )

"""Reads delimited tables (CSV and relatives), with or without a header.

Every error names the line that it is in.
"""

from __future__ import annotations

import csv
import difflib
import io
import operator
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.files import SourceFile, format_names
from kd_tf.data.formats.foreign_content import refuse_markup
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
        separator: The text between fields, or None to detect it from the first line. A blank stands
            for any number of blanks.
        has_header: Whether the first line names the columns; None to detect it.
        has_quotes: Whether fields may stand in double quotes, as in RFC 4180. If False, quotes
            are ordinary text.
        escape_char: A character that escapes a quote inside a quoted field, in addition to
            doubling the quote; or None.
        encoding: Any text encoding of Python.
        skip_rows: Number of lines before the table, such as the title of a report.
    """

    separator: str | None = None
    has_header: bool | None = None
    has_quotes: bool = True
    escape_char: str | None = None
    encoding: str = "utf-8"
    skip_rows: int = 0


@dataclass(frozen=True)
class TableLayout:
    """The layout of a table, detected from its first line.

    Attributes:
        separator: The text between fields.
        has_header: Whether the first line names the columns.
        column_names: The names of the columns; empty without a header.
        num_fields: The number of fields in the first line.
        first_line: The number of the first line of the table, from 1.
        has_blank_after_separator: Whether fields in quotes stand after a blank: ``a, "b"``.
        header_below: The number of a later line that has the names of all columns that are read,
            although the first has not; None if there is none.
    """

    separator: str
    has_header: bool
    column_names: list[str]
    num_fields: int
    first_line: int = 1
    header_below: int | None = None
    has_blank_after_separator: bool = False


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
    separator is detected (see `SEPARATORS`); Excel's line ``sep=;`` is obeyed. Fields in quotes may
    contain separators, doubled quotes, and line ends, which all become LF. In a file with a
    header, columns are found by name, or by their number if no column has that name. In a file
    without one, they stand in the order of `columns` unless all are numbers, from 1. A first line
    that contains a number is not a header. Rows whose fields are all blank are passed over. A row
    may lack its last fields, or have more of them that are empty, if the columns that are read are
    there.

    Args:
        source: The file.
        columns: Role -> column name in the header. The roles name the columns of the result.
        bad_rows: Gets the rows whose number of fields does not fit. The caller parses the columns
            of each block and then calls `BadRows.raise_or_skip`.
        dialect: The format of the file; by default all of it is detected.

    Yields:
        Column ``line`` (Int64, the line of the file where the row begins, from 1) and one String
        column per role.

    Raises:
        UserError: The file is missing, damaged, no text table, empty or in another encoding; a
            column is missing or named twice; or a quote is never closed, so that the end of its row
            is unknown.
    """
    dialect = dialect or Dialect()
    layout = read_layout(source, columns, dialect=dialect)
    positions = find_positions(source, layout, columns)
    table = _TableParser(source, layout, dialect, bad_rows, positions)
    blocks = _drop_lines(read_lines(source, encoding=dialect.encoding), layout.first_line)
    skip_header = layout.has_header
    for lines in blocks:
        if dialect.has_quotes and lines.text.str.contains('"', literal=True).any():
            frame = table.parse_quoted(lines, blocks)
        else:
            frame = table.split_unquoted(lines)
        if skip_header and len(frame):
            frame, skip_header = frame.slice(1), False
        if layout.has_header:
            frame = _drop_repeated_headers(frame, layout, positions, bad_rows)
        fields = [pl.col(f"field_{index}").alias(role) for role, index in positions.items()]
        yield frame.select("line", *fields)


def _drop_lines(blocks: Iterator[LineBlock], first_line: int) -> Iterator[LineBlock]:
    """Drops the lines before the table."""
    for block in blocks:
        num_before = max(first_line - block.first_line, 0)
        if num_before < len(block.text):
            yield LineBlock(block.first_line + num_before, block.text.slice(num_before))


def _drop_repeated_headers(
    frame: pl.DataFrame, layout: TableLayout, positions: Mapping[str, int], bad_rows: BadRows
) -> pl.DataFrame:
    """Drops rows that repeat the header, as in tables that were put together, and ruled lines."""
    if len(set(positions.values())) < 2:
        return frame
    fields = {index: pl.col(f"field_{index}").str.strip_chars() for index in positions.values()}
    is_header = pl.all_horizontal(
        field.str.to_lowercase() == layout.column_names[index].strip().lower()
        for index, field in fields.items()
    )
    is_rule = pl.all_horizontal(field.str.contains(_RULE) for field in fields.values())
    headers, rules = frame.select(is_header.sum(), is_rule.sum().alias("rules")).row(0)
    bad_rows.pass_over("repeated header", headers)
    bad_rows.pass_over("ruled line", rules)
    return frame.filter(~(is_header | is_rule)) if headers or rules else frame


_RULE = "^(?::?-{2,}:?|={2,})$"
"""A field of the line that some programs draw below the header."""


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
    text = _read_beginning(source, dialect)
    refuse_markup(source, text)
    first_line = dialect.skip_rows + 1
    separator = dialect.separator
    first, _, rest = text.partition("\n")
    separator_line = _SEPARATOR_LINE.match(first)
    if separator_line:
        separator, text, first_line = separator or separator_line[1], rest, first_line + 1
    if not text.strip():
        raise UserError(
            f"the file has no lines after the first {dialect.skip_rows}"
            if dialect.skip_rows
            else "the file is empty",
            where=str(source),
            hint="Give a table with at least one row.",
        )
    if separator is None:
        separator = _detect_separator(source, text, dialect)
    has_blank_after_separator = _has_blank_before_quotes(text, separator, dialect)
    record = _parse_first_record(text, separator, dialect, has_blank_after_separator)
    if not record:
        raise UserError(
            "the first line has a quote that is not closed properly",
            where=f"{source}:{first_line}",
            hint="Close the quote, or double every quote inside a quoted field. If quotes are "
            "ordinary text in this file: --quote none.",
        )
    has_header = detect_header(record, columns, dialect.has_header)
    refuse_lost_header(f"{source}:{first_line}", record, columns, has_header)
    header_below = None
    if columns is not None and dialect.has_header is not False:
        lines = text.replace('"', "").split("\n")[:MAX_HEADER_LINE]
        candidates = SEPARATORS if dialect.separator is None else (separator,)
        header_below = find_header_below(
            columns,
            [
                (first_line + place, line.split(candidate))
                for candidate in candidates
                for place, line in enumerate(lines)
            ],
        )
    return TableLayout(
        separator,
        has_header,
        record if has_header else [],
        len(record),
        first_line,
        header_below,
        has_blank_after_separator,
    )


def _has_blank_before_quotes(text: str, separator: str, dialect: Dialect) -> bool:
    """Says whether fields in quotes stand after a blank, which then belongs to the separator."""
    if not dialect.has_quotes or len(separator) > 1 or separator == BLANK:
        return False
    lines = text.split("\n")[:MAX_HEADER_LINE]
    records = csv.reader(lines, delimiter=separator, escapechar=dialect.escape_char)
    return any(
        field.startswith(BLANK) and field.lstrip().startswith('"')
        for record in records
        for field in record
    )


def refuse_lost_header(
    where: str, record: list[str], columns: Mapping[str, str] | None, has_header: bool
) -> None:
    """Checks that a first row that is said to be no header does not name the columns.

    Raises:
        UserError: It does.
    """
    names = {name.strip() for name in (columns or {}).values() if not name.isdecimal()}
    if not has_header and len(names) > 1 and names <= {field.strip() for field in record}:
        raise UserError(
            "the first row names the columns, so it is a header",
            where=where,
            hint="Leave --no-header out (of the item table: --set data.item_format.header=false).",
        )


MAX_HEADER_LINE = 30
"""How many lines of a report may stand above the header of its table."""


def find_header_below(
    columns: Mapping[str, str], records: Sequence[tuple[int, list[str]]]
) -> int | None:
    """Finds the first line that names all columns that are read, if it is not the first line.

    Args:
        columns: Role -> name, or number from 1.
        records: Numbers and fields of the first lines of a table.

    Returns:
        The number of the line; None if the first has the names, if none has, or if fewer than two
        columns are read by name.

    Example:
        >>> columns = {"user": "reader", "item": "book"}
        >>> find_header_below(columns, [(1, ["Report"]), (2, []), (3, ["book", " reader"])])
        3
    """
    names = {name.strip() for name in columns.values() if not name.isdecimal()}
    matches = [line for line, fields in records if names <= {field.strip() for field in fields}]
    is_first = not matches or min(matches) == records[0][0]
    return None if len(names) < 2 or is_first else min(matches)


_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?$', re.IGNORECASE)
"""Excel's first line that says how fields are separated."""


def _read_beginning(source: SourceFile, dialect: Dialect) -> str:
    """Reads the first lines of the table."""
    blocks = _drop_lines(read_lines(source, encoding=dialect.encoding), dialect.skip_rows + 1)
    beginning = next(blocks, None)
    return "" if beginning is None else "\n".join(beginning.text.head(1000))


def _detect_separator(source: SourceFile, text: str, dialect: Dialect) -> str:
    num_fields = {
        candidate: len(_parse_first_record(text, candidate, dialect)) for candidate in SEPARATORS
    }
    usual_separator = {".csv": ",", ".tsv": "\t"}.get(source.name[-4:].lower())
    if usual_separator is not None and num_fields[usual_separator] > 1:
        return usual_separator
    separator = max(SEPARATORS, key=num_fields.__getitem__)
    # Blanks occur inside names and titles as well.
    if separator == BLANK:
        separator = max(SEPARATORS[:-1], key=num_fields.__getitem__)
        separator = separator if num_fields[separator] > 1 else BLANK
    return separator


def detect_header(
    record: list[str], columns: Mapping[str, str] | None, has_header: bool | None
) -> bool:
    """Says whether the first row of a table names its columns."""
    if has_header is not None:
        return has_header
    names = set(map(fold_name, record))
    has_all_names = columns is not None and set(map(fold_name, columns.values())) <= names
    return has_all_names or not any(_is_number(field) for field in record)


def fold_name(name: str) -> str:
    """Returns a column name as it is compared: other kinds of blanks and letters look the same.

    Example:
        >>> fold_name("user\u00a0id ") == "user id"
        True
    """
    return unicodedata.normalize("NFKC", name).strip()


def list_header(source: SourceFile, dialect: Dialect) -> list[str]:
    """Lists the names in the header of a table; empty if it has none.

    Raises:
        UserError: As for `read_layout`.
    """
    return read_layout(source, dialect=dialect).column_names


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parse_first_record(
    text: str, separator: str, dialect: Dialect, has_blank_after_separator: bool = False
) -> list[str]:
    """Returns the fields of the first record; an empty list if its quotes are wrong."""
    if len(separator) > 1 or not dialect.has_quotes:
        first_line = next((line for line in text.split("\n") if line.strip()), "")
        if separator == BLANK:
            return first_line.split()
        return [] if dialect.has_quotes and '"' in first_line else first_line.split(separator)
    records = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        escapechar=dialect.escape_char,
        strict=True,
        skipinitialspace=separator == BLANK or has_blank_after_separator,
    )
    try:
        record = next((record for record in records if any(map(str.strip, record))), [])
    except csv.Error:
        return []
    return [field for field in record if field] if separator == BLANK else record


def find_positions(
    source: SourceFile, layout: TableLayout, columns: Mapping[str, str]
) -> dict[str, int]:
    """Finds the columns of a table.

    Args:
        source: The file, for errors.
        layout: The layout of the table.
        columns: Role -> name, or number from 1.

    Returns:
        Role -> index of the column in a row, from 0.

    Raises:
        UserError: A column is missing, was given for two roles, or its name is in the header twice.
    """
    where = source.locate(layout.first_line)
    for name, count in Counter(columns.values()).items():
        roles = [role for role in columns if columns[role] == name]
        # Conditions may look at any column, and an ISBN may be the id as well.
        roles = [role for role in roles if not role.startswith(CONDITION) and role != "isbn"]
        if count > 1 and len(roles) > 1:
            raise UserError(
                f"column {name!r} was given for {' and for '.join(roles)}",
                where=where,
                hint="Give another column for one of them, or leave it out.",
            )
    _refuse_lines_above(source, layout, columns)
    if layout.has_header:
        return {role: _find_column(where, layout, name) for role, name in columns.items()}
    return _find_by_order(where, layout, columns)


def _refuse_lines_above(
    source: SourceFile, layout: TableLayout, columns: Mapping[str, str]
) -> None:
    """Checks that the header is not further down, below the title of a report.

    Raises:
        UserError: It is.
    """
    if layout.header_below is None:
        return
    num_lines = layout.header_below - 1
    names = format_names([name for name in columns.values() if not name.isdecimal()])
    raise UserError(
        f"the columns {names} are named in this line, not in the first",
        where=source.locate(layout.header_below),
        hint=f"If the table begins here: --skip-rows {num_lines} (of the item table: --set "
        f"data.item_format.skip_rows={num_lines}). If the lines above are rows: --no-header.",
    )


OF_ITEM_TABLE = "(of the item table: --set data.item_format.separator=...)"
"""How a separator is given for the item table; follows the option in messages."""

CONDITION = "where "
"""How the roles of columns begin that are read for a condition only."""


def _find_column(where: str, layout: TableLayout, name: str) -> int:
    """Returns the index of a column of a table with a header."""
    names = layout.column_names
    if names.count(name) > 1:
        raise UserError(
            f"{names.count(name)} columns are named {name!r}",
            where=where,
            hint="Give the number of the column instead: the first is 1.",
        )
    folded_names = list(map(fold_name, names))
    if name not in names and folded_names.count(fold_name(name)) == 1:
        return folded_names.index(fold_name(name))
    if name in names:
        return names.index(name)
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return int(name) - 1
    raise UserError(
        f"there is no column {name!r}; the columns are {format_names(names)}",
        where=where,
        hint=_make_column_hint(name, names, layout.separator),
    )


def _find_by_order(where: str, layout: TableLayout, columns: Mapping[str, str]) -> dict[str, int]:
    """Returns the indices of columns of a table without a header."""
    roles = [role for role in columns if not role.startswith(CONDITION)]
    numbers = {role: int(name) for role, name in columns.items() if name.isdecimal()}
    largest = max(numbers.values(), default=0)
    if len(numbers) == len(columns) and min(numbers.values()) >= 1:
        if largest > layout.num_fields:
            raise UserError(
                f"there is no column {largest}: the first row has {layout.num_fields} fields",
                where=where,
                hint="The first column is 1.",
            )
        return {role: number - 1 for role, number in numbers.items()}
    swapped_roles = [role for role in roles if columns[role] != role and columns[role] in columns]
    if numbers or swapped_roles or len(roles) < len(columns):
        role = next(iter(swapped_roles), None) or next(
            role for role in columns if role not in numbers
        )
        raise UserError(
            f"the table has no header, so there is no column {columns[role]!r}",
            where=where,
            hint="Give the number of each column instead, for example --user 2 --item 1; if the "
            "first line names the columns: --header.",
        )
    if layout.num_fields < len(columns):
        raise UserError(
            f"the first row has {layout.num_fields} fields, but {len(columns)} columns are "
            f"needed ({', '.join(columns)})",
            where=where,
            hint="Without a header the columns are taken in order. Use fewer columns, or say how "
            f"fields are separated: --separator {OF_ITEM_TABLE}.",
        )
    return {role: index for index, role in enumerate(columns)}


def _make_column_hint(name: str, names: list[str], separator: str) -> str:
    """Suggests a column in place of one that does not exist."""
    if len(names) == 1 and any(other in names[0] for other in SEPARATORS[:4]):
        return (
            "The line stands in quotes as a whole, like one field: export the table again, or say "
            f"how fields are separated: --separator {OF_ITEM_TABLE}."
        )
    if len(names) == 1 and separator:
        return f"Say how fields are separated: --separator {OF_ITEM_TABLE}."
    return make_spelling_hint(name, names) or (
        "Use one of these columns, or its number. If this line is data and not a header, use "
        "--no-header; if the table begins below it, --skip-rows N (of the item table: --set "
        "data.item_format.header=false, --set data.item_format.skip_rows=N)."
    )


def make_spelling_hint(name: str, names: list[str]) -> str:
    """Suggests the column whose name is most like a name that does not exist; "" if none is."""
    folded_names = {other.strip().casefold(): other for other in reversed(names) if other}
    close = difflib.get_close_matches(name.strip().casefold(), folded_names, n=1, cutoff=0.5)
    return f"Did you mean {folded_names[close[0]]!r}?" if close else ""


class _TableParser:
    """Cuts the lines of one table into fields.

    Args:
        source: The file, for errors.
        layout: The layout of the table.
        dialect: The format of the file.
        bad_rows: Gets the rows with a wrong number of fields.
        positions: Role -> index of a column that is read.
    """

    def __init__(
        self,
        source: SourceFile,
        layout: TableLayout,
        dialect: Dialect,
        bad_rows: BadRows,
        positions: Mapping[str, int],
    ) -> None:
        self.source, self.dialect, self.bad_rows = source, dialect, bad_rows
        self.separator = layout.separator
        self.has_blank_after_separator = layout.has_blank_after_separator
        self.width = layout.num_fields
        self.columns = sorted(set(positions.values()))

    def split_unquoted(self, lines: LineBlock) -> pl.DataFrame:
        """Splits a block without quotes, where every line is a row."""
        text = lines.text
        if self.separator == BLANK:
            text = text.str.strip_chars().str.replace_all(r"\s+", BLANK)
        frame = pl.DataFrame([lines.line_numbers(), text.alias("text")])
        blanks = rf"^[\s{re.escape(self.separator)}]*$"
        frame = frame.filter(~pl.col("text").str.contains(blanks))
        count = frame["text"].str.count_matches(self.separator, literal=True) + 1
        if (count != self.width).any():
            text = frame["text"]
            is_longer = count > self.width
            if is_longer.any():
                # Empty fields at the end are no fields.
                shorter = text.str.replace(rf"(?:{re.escape(self.separator)}\s*)+$", "")
                shorter_count = shorter.str.count_matches(self.separator, literal=True) + 1
                fits = is_longer & (shorter_count <= self.width)
                frame = frame.with_columns(text.zip_with(~fits, shorter).alias("text"))
                count = count.zip_with(~fits, shorter_count)
            is_wrong = (count > self.width) | (count <= self.columns[-1])
            for line, row, num_fields in zip(
                frame["line"].filter(is_wrong),
                frame["text"].filter(is_wrong),
                count.filter(is_wrong),
                strict=True,
            ):
                self.bad_rows.add(line, row, self._describe_width(num_fields))
            frame = frame.filter(~is_wrong)
        fields = frame["text"].str.split_exact(self.separator, self.width - 1).struct.unnest()
        columns = [pl.col(f"field_{index}").fill_null("") for index in self.columns]
        if self.has_blank_after_separator:
            columns = [column.str.strip_chars_start(BLANK) for column in columns]
        return fields.select(columns).insert_column(0, frame["line"])

    def parse_quoted(self, lines: LineBlock, blocks: Iterator[LineBlock]) -> pl.DataFrame:
        """Parses a block with quotes with Python's csv module.

        The parser of polars fills up short rows, accepts text after a closing quote, and does not
        report line numbers. If a record continues in the next block, that block is consumed too.
        """
        if len(self.separator) > 1:
            raise UserError(
                f"fields in quotes cannot be separated by {self.separator!r}",
                where=str(self.source),
                hint="If quotes are ordinary text in this file: --quote none.",
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
        long_rows: list[tuple[int, int]] = []
        records = csv.reader(
            feed(),
            delimiter=self.separator,
            escapechar=self.dialect.escape_char,
            strict=True,
            skipinitialspace=self.separator == BLANK or self.has_blank_after_separator,
        )
        # If all lines were fed, a record has just ended; reading on would only consume the next
        # block.
        while num_fed < len(text):
            begin = lines.first_line + num_fed
            try:
                row = next(records, None)
            except csv.Error as error:
                end = lines.first_line + num_fed - 1
                self.bad_rows.add(begin, "", _explain_quote_error(self.source, begin, end, error))
                continue
            row = self._fit_width(row or [])
            if not row:
                continue
            end = lines.first_line + num_fed - 1
            if self.columns[-1] < len(row) <= self.width:
                numbers.append(begin)
                rows.append(row)
                if end > begin:
                    long_rows.append((begin, end))
            else:
                reason = self._describe_width(len(row))
                if end > begin:
                    reason += f" (lines {begin} to {end})"
                if len(row) == 1 and row[0].count(self.separator) >= self.width - 1:
                    reason = "stands in quotes as a whole, like one field: export it again"
                self.bad_rows.add(begin, self.separator.join(row), reason)
        frame = pl.DataFrame(
            {
                "line": pl.Series(numbers, dtype=pl.Int64),
                **{
                    f"field_{index}": pl.Series([row[index] for row in rows], dtype=pl.String)
                    for index in self.columns
                },
            }
        )
        swallowing_rows = [
            (begin, text[begin - lines.first_line + 1 : end - lines.first_line + 1])
            for begin, end in long_rows
        ]
        self._check_swallowed(
            [row for row in swallowing_rows if all(map(self._has_all_fields, row[1]))], frame
        )
        return frame

    def _fit_width(self, row: list[str]) -> list[str]:
        """Drops empty fields that a row has too many; returns none if all fields are blank."""
        if self.separator == BLANK:
            row = [field for field in row if field]
        if not any(field.strip() for field in row):
            return []
        while len(row) > self.width and not row[-1].strip():
            row.pop()
        return row

    def _describe_width(self, num_fields: int) -> str:
        return f"has {num_fields} fields, the first line has {self.width}"

    def _has_all_fields(self, line: str) -> bool:
        return line.count(self.separator) == self.width - 1

    def _check_swallowed(self, long_rows: list[tuple[int, list[str]]], frame: pl.DataFrame) -> None:
        """Checks that quoted fields of several lines did not swallow rows.

        A quote that is ordinary text opens a field, which ends at the next such quote. The lines in
        between then look like rows: they have as many fields, and values of the columns in them, or
        are several and of the same form.

        Args:
            long_rows: The line where each such row begins, and its other lines, all of which have
                as many fields as a row.
            frame: All rows.

        Raises:
            UserError: They did.
        """
        # A single column is read to look ahead; the values of one tell too little, of two enough.
        indices = self.columns[:2]
        if not long_rows or len(indices) < 2:
            return
        forms = [set(map(_get_form, frame[f"field_{index}"].unique())) for index in indices]
        for begin, lines in long_rows:
            others = frame.filter(pl.col("line") != begin)
            values = [set(others[f"field_{index}"]) - {""} for index in indices]
            is_row = True
            for line in lines:
                fields = [line.split(self.separator)[index] for index in indices]
                is_known = any(map(operator.contains, values, fields))
                is_alike = all(map(operator.contains, forms, map(_get_form, fields)))
                is_row &= not any('"' in field for field in fields) and (
                    is_known or (is_alike and len(lines) > 1)
                )
            if is_row:
                raise UserError(
                    f"a quote that opens in this row closes {len(lines)} "
                    f"line{'s' if len(lines) > 1 else ''} below, and these lines look like rows",
                    where=self.source.locate(begin),
                    hint="If quotes are ordinary text in this file: --quote none.",
                )


def _get_form(text: str) -> str:
    """Returns the form of a text: u12 and x7 are a letter and a number, as all ids of a column."""
    return re.sub("[0-9]+", "0", re.sub(r"[^\W\d_]+", "a", text))


def _explain_quote_error(source: SourceFile, line: int, last_line: int, error: csv.Error) -> str:
    """Returns why a single line is bad; raises if the error may have consumed further lines."""
    if "expected after" in str(error) and line == last_line:
        return (
            "has a quote inside a quoted field that is not doubled; if quotes are ordinary text in "
            "this file: --quote none"
        )
    raise UserError(
        f"a quote that opens in this row is not closed properly ({error}, line {last_line})",
        where=f"{source}:{line}",
        hint='Close the quote, or double every quote inside a quoted field (""). If quotes are '
        "ordinary text in this file: --quote none. Such a row cannot be skipped, because it is "
        "unknown where it ends.",
    )

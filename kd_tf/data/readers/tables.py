"""A delimited table with named columns, read so that every fault is named by its line."""

from __future__ import annotations

import codecs
import contextlib
import csv
import difflib
import gzip
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import IO, Literal, cast

import polars as pl

from kd_tf.errors import UserError

OnBadRows = Literal["stop", "skip"]
"""What a bad row does: ends the run, or is left out, counted and listed in the notes."""

SEPARATORS = (",", ";", "\t", "|")
"""What can stand between two fields; where the header leaves a doubt, the first one wins."""

_BAD_ROWS = {"line": pl.Int64, "role": pl.String, "value": pl.String, "reason": pl.String}
_ROWS_AT_ONCE = 1 << 16
_LISTED = 5


@dataclass(frozen=True)
class Table:
    """Rows of a file, as text until `parse` gives a column its type, and the rows that are bad.

    Attributes:
        path: Where the rows come from.
        names: The name that each role has in the header, for example ``{"user": "user_id"}``.
        frame: Column ``line`` (Int64, the line of the file that the row begins at; the header
            is line 1) and one column a role.
        bad: Columns ``line``, ``role`` (null where the row as a whole is bad), ``value`` (what
            stands there) and ``reason``.
    """

    path: Path
    names: Mapping[str, str]
    frame: pl.DataFrame
    bad: pl.DataFrame

    def parse(self, role: str, parser: Callable[[pl.Series], pl.Series], reason: str) -> Table:
        """The table with a column parsed; rows for which `parser` gives null become bad.

        Args:
            role: The column.
            parser: Strings [n] -> values [n], null where a string is none.
            reason: Follows the value in messages, for example "is not a number".
        """
        values = parser(self.frame[role]).alias(role)
        if not values.null_count():
            return replace(self, frame=self.frame.with_columns(values))
        fails = values.is_null()
        failed = self.frame.filter(fails).select(
            "line", role=pl.lit(role), value=role, reason=pl.lit(reason)
        )
        return replace(
            self,
            frame=self.frame.with_columns(values).filter(~fails),
            bad=pl.concat([self.bad, failed]),
        )

    def good_rows(self, on_bad_rows: OnBadRows) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """The rows that passed, and a note on those that did not.

        Raises:
            UserError: A row is bad and `on_bad_rows` is "stop", or no row is good.
        """
        if self.bad.is_empty():
            return self.frame, ()
        listed = self.bad.sort("line").head(_LISTED).to_dicts()
        first = listed[0]
        if on_bad_rows == "stop":
            others = len(self.bad) - 1
            raise UserError(
                _described(first) + (f" ({others} more rows are bad)" if others else ""),
                where=self.where(first["line"], first["role"]),
                hint="Correct the file, or skip bad rows (--on-bad-rows skip): they are "
                "counted and listed.",
            )
        if self.frame.is_empty():
            raise UserError(
                f"every row is bad; the first: {_described(first)}",
                where=self.where(first["line"], first["role"]),
                hint="Check the separator and the names of the columns.",
            )
        examples = "; ".join(
            f"line {row['line']}"
            + (f', column "{self.names[row["role"]]}"' if row["role"] else "")
            + f": {_described(row)}"
            for row in listed
        )
        rest = len(self.bad) - len(listed)
        note = f"{len(self.bad)} bad rows of {self.path.name} were skipped: {examples}" + (
            f"; and {rest} more" if rest else ""
        )
        return self.frame, (note,)

    def where(self, line: int, role: str | None = None) -> str:
        """A place in the file as messages name it: ``ratings.csv:17, column "rating"``."""
        return f"{self.path}:{line}" + (f', column "{self.names[role]}"' if role else "")


def read_table(path: Path, columns: Mapping[str, str]) -> Table:
    """Reads the asked columns of a delimited text file, every value as the text it is.

    The file is UTF-8, with or without a byte order mark, plain, ``.gz``, or a ``.zip`` that
    holds one table. The separator is a comma in ``.csv`` and a tab in ``.tsv``; where the
    header has none of them, and in files of other names, it is found in the header (see
    `SEPARATORS`). Quoting is that of RFC 4180: fields in double quotes may hold separators,
    line ends and doubled quotes. Blank lines are passed over.

    Args:
        path: The file.
        columns: The header's name for each role; roles name the columns of the result.

    Returns:
        The rows; those with another number of fields than the header are bad already.

    Raises:
        UserError: The file is missing, broken, binary, empty or not UTF-8; a column is missing
            or named twice; a quote is never closed, so that nobody can tell where a row ends.
    """
    separator, names = _layout(path)
    positions = _positions(path, names, columns)
    schema = {"line": pl.Int64, **dict.fromkeys(columns, pl.String)}
    parts = [pl.DataFrame(schema=schema)]
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    bad: list[tuple[int, str, str]] = []
    # Other columns are let go at once: the texts of a book table can be long. With one index
    # alone itemgetter would give no tuple, so the first one stands twice.
    asked = itemgetter(positions[0], *positions)

    def flush() -> None:
        if rows:
            _, *values = zip(*rows, strict=True)
            parts.append(pl.DataFrame([lines, *values], schema=schema, orient="col"))
            lines.clear()
            rows.clear()

    records = _records(path, separator)
    next(records)  # the header
    for line, last_line, row in records:
        if isinstance(row, csv.Error):
            bad.append((line, "", _quote_fault(path, line, last_line, row)))
        elif len(row) == len(names):
            lines.append(line)
            rows.append(asked(row))
            if len(rows) == _ROWS_AT_ONCE:
                flush()
        else:
            until = f" (lines {line} to {last_line})" if last_line > line else ""
            reason = f"has {len(row)} fields, the header has {len(names)}{until}"
            bad.append((line, separator.join(row), reason))
    flush()
    table = Table(
        path=path,
        names=dict(columns),
        frame=pl.concat(parts),
        bad=pl.DataFrame(
            [(line, None, value, reason) for line, value, reason in bad],
            schema=_BAD_ROWS,
            orient="row",
        ),
    )
    if table.frame.is_empty() and table.bad.is_empty():
        raise UserError(
            "the table has a header but no rows", where=str(path), hint="Give at least one row."
        )
    return table


def header(path: Path) -> list[str]:
    """The names of the columns; raises what `read_table` raises for the file as a whole."""
    return _layout(path)[1]


def _layout(path: Path) -> tuple[str, list[str]]:
    """The separator and the names in the header, after the whole file proved to be text."""
    _require_file(path)
    _require_text(path)
    with _opened(path) as (name, stream):
        beginning = _text(stream).read(1 << 16)
    headers = {separator: _first_record(beginning, separator) for separator in SEPARATORS}
    expected = {".csv": ",", ".tsv": "\t"}.get(Path(name).suffix.lower())
    if expected is None or len(headers[expected]) < 2:
        separator = max(SEPARATORS, key=lambda candidate: len(headers[candidate]))
    else:
        separator = expected
    names = headers[separator]
    if not names:
        if beginning.strip():
            raise UserError(
                "the header has a quote that is not closed properly",
                where=f"{path}:1",
                hint="Begin the file with one line of column names.",
            )
        raise UserError(
            "the file is empty",
            where=str(path),
            hint="Give a table with a line of column names and at least one row.",
        )
    return separator, names


def _first_record(beginning: str, separator: str) -> list[str]:
    reader = csv.reader(io.StringIO(beginning, newline=""), delimiter=separator, strict=True)
    try:
        return next((row for row in reader if row), [])
    except csv.Error:
        return []


def _positions(path: Path, names: list[str], columns: Mapping[str, str]) -> list[int]:
    """Where in a row the column of each role stands."""
    where = f"{path}:1"
    for name, count in Counter(names).items():
        if count > 1 and name:  # exports often leave several columns without a name
            raise UserError(
                f"{count} columns are named {name!r}",
                where=where,
                hint="Give every column a name of its own.",
            )
    for name, count in Counter(columns.values()).items():
        if count > 1:
            roles = [role for role in columns if columns[role] == name]
            raise UserError(
                f"column {name!r} was given for {' and for '.join(roles)}",
                where=where,
                hint="Name another column for one of them, or leave it out.",
            )
        if name not in names:
            raise UserError(
                f"there is no column {name!r}; the columns are {_listed(names)}",
                where=where,
                hint=_column_hint(name, names),
            )
    return [names.index(name) for name in columns.values()]


def _column_hint(name: str, names: list[str]) -> str:
    if len(names) == 1:
        return "Is the separator one of comma, semicolon, tab and |?"
    folded = {other.strip().casefold(): other for other in reversed(names) if other}
    close = difflib.get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.5)
    return f"Did you mean {folded[close[0]]!r}?" if close else "Name one of these columns."


def _records(path: Path, separator: str) -> Iterator[tuple[int, int, list[str] | csv.Error]]:
    """First line, last line and fields of each record that is not blank, or what is wrong.

    Python's own parser and not that of polars: it tells the line of each record, does not fill
    up short rows, and is strict with quotes. A million narrow rows take about a second.
    """
    with _opened(path) as (_, stream):
        reader = csv.reader(_text(stream), delimiter=separator, strict=True)
        end = 0
        while True:
            begin = end + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                end = reader.line_num
                yield begin, end, error
                continue
            if row is None:
                return
            end = reader.line_num
            if row:
                yield begin, end, row


def _quote_fault(path: Path, line: int, last_line: int, error: csv.Error) -> str:
    """Why one line is bad; raises where the fault may have swallowed more than that line."""
    if "expected after" in str(error) and line == last_line:
        return "has a quote inside a quoted field that is not doubled"
    raise UserError(
        f"a quote that opens in this row is not closed properly ({error}, line {last_line})",
        where=f"{path}:{line}",
        hint='Close the quote, or double every quote inside a quoted field (""). Such a row '
        "cannot be skipped, because nobody can tell where it ends.",
    )


def _require_file(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise UserError(
            "this is a folder, not a file",
            where=str(path),
            hint=f"Name one of its files. It has: {_contents(path)}.",
        )
    folder = path.parent
    if not folder.is_dir():
        hint = f"There is no folder {folder} either."
    else:
        close = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=1)
        hint = (f"Did you mean {close[0]!r}? " if close else "") + (
            f"The folder {folder} has: {_contents(folder)}."
        )
    raise UserError(f"there is no file {path.name!r}", where=str(path), hint=hint)


def _contents(folder: Path) -> str:
    return _listed(sorted(path.name for path in folder.iterdir())) or "nothing"


def _listed(names: list[str], most: int = 30) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _require_text(path: Path) -> None:
    """Raises unless all bytes are UTF-8 without NUL, and compressed ones are whole."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _opened(path) as (_, stream):
        first = block = stream.read(1 << 20)
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UserError(
                "the file is UTF-16, not UTF-8", where=str(path), hint=_convert("UTF-16")
            )
        try:
            while block:
                if b"\0" in block:
                    raise _binary(path, first)
                decoder.decode(block)
                block = stream.read(1 << 20)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise _not_utf8(path) from error


def _binary(path: Path, beginning: bytes) -> UserError:
    packed = {b"PK": ".zip", b"\x1f\x8b": ".gz"}.get(beginning[:2])
    return UserError(
        "this is a binary file, not a table in text (it has NUL bytes)",
        where=str(path),
        hint="Export the table as CSV in UTF-8."
        + (f" If it is a compressed table, its name must end in {packed}." if packed else ""),
    )


def _not_utf8(path: Path) -> UserError:
    """Names the first byte that is not UTF-8."""
    found, where = "", str(path)
    with _opened(path) as (_, stream):
        # Latin-1 maps each byte to one character, so lines are counted as in the real text.
        for number, line in enumerate(io.TextIOWrapper(stream, "latin-1", newline=""), start=1):
            raw = line.encode("latin-1")
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                found = f": byte {error.start + 1} of the line is 0x{raw[error.start]:02x}"
                where = f"{path}:{number}"
                break
    return UserError(f"the file is not UTF-8{found}", where=where, hint=_convert("WINDOWS-1252"))


def _convert(encoding: str) -> str:
    return (
        f"Convert it, for example: iconv -f {encoding} -t UTF-8 OLD > NEW (after -f the "
        "encoding that it was written in)."
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The table's own file name and its bytes, decompressed."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                member = _only_table(path, archive)
                with _unpacked(path, archive, member) as stream:
                    yield member, stream
        elif path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as stream:
                yield path.stem, cast("IO[bytes]", stream)
        else:
            with path.open("rb") as stream:
                yield path.name, stream
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(
            f"the compressed file is cut off, damaged or no {path.suffix.lower()} file ({error})",
            where=str(path),
            hint="Copy or download it again.",
        ) from error
    except OSError as error:
        raise UserError(
            f"the file cannot be read ({error.strerror or error})",
            where=str(path),
            hint="Check the file and its rights.",
        ) from error


def _only_table(path: Path, archive: zipfile.ZipFile) -> str:
    """The one table of a zip file: its only file, or the only one named .csv or .tsv."""
    files = [
        name
        for name in archive.namelist()
        # what macOS and file managers add
        if not name.endswith("/") and not Path(name).name.startswith(".") and "__MACOSX" not in name
    ]
    tables = [name for name in files if name.lower().endswith((".csv", ".tsv"))]
    for candidates in (files, tables):
        if len(candidates) == 1:
            return candidates[0]
    raise UserError(
        f"the zip file must hold one table, it has {_listed(files) or 'no files'}",
        where=str(path),
        hint="Unpack it and name the table.",
    )


def _unpacked(path: Path, archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    try:
        return archive.open(member)
    except RuntimeError as error:  # zipfile's word for a password or an unknown compression
        raise UserError(
            f"the zip file cannot be unpacked ({error})",
            where=str(path),
            hint="Unpack it and name the table.",
        ) from error


def _text(stream: IO[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, "utf-8-sig", newline="")


def _described(row: dict[str, str | None]) -> str:
    value = row["value"] or ""
    shown = repr(value if len(value) <= 60 else value[:60] + "…")
    if row["role"]:
        return f"{shown} {row['reason']}"
    return f"the row {shown} {row['reason']}" if value else f"the row {row['reason']}"

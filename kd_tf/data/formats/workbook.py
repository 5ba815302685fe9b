"""Reads a sheet of an Excel workbook (.xlsx) as text, like a delimited file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.delimited import (
    MAX_HEADER_LINE,
    Dialect,
    TableLayout,
    detect_header,
    find_header_below,
    find_positions,
    refuse_lost_header,
)
from kd_tf.data.formats.files import (
    ALWAYS_ALLOWED_BYTES,
    MAX_COMPRESSION_RATIO,
    SourceFile,
    format_names,
    open_stream,
)
from kd_tf.errors import UserError
from kd_tf.extras import require_modules

_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class _Sheet:
    """A sheet that is not empty."""

    name: str
    rows: pl.DataFrame
    layout: TableLayout


def read_workbook(
    source: SourceFile, columns: Mapping[str, str], dialect: Dialect, bad_rows: BadRows
) -> Iterator[pl.DataFrame]:
    """Reads some columns of a sheet, in one block.

    If several sheets are not empty, the one that has the columns is read, and a note says which.

    Args:
        source: The file.
        columns: Role -> column name, or number from 1.
        dialect: Whether there is a header, and the number of rows before the table.
        bad_rows: Gets the note.

    Yields:
        Like `kd_tf.data.formats.delimited.read_table`: column ``line`` (Int64, the row of the
        sheet, from 1) and one String column per role. An empty cell is an empty text; dates are
        ISO 8601.

    Raises:
        UserError: The file is not a workbook, a column is missing, several sheets have the columns,
            or fastexcel is not installed.
    """
    sheets = _read_sheets(source, columns, dialect)
    sheet = _choose_sheet(source, sheets, columns)
    if len(sheets) > 1:
        others = format_names([other.name for other in sheets if other is not sheet])
        bad_rows.add_note(f"of {source.name} the sheet {sheet.name!r} is read, not {others}")
    positions = find_positions(source, sheet.layout, columns)
    rows = sheet.rows.slice(1) if sheet.layout.has_header else sheet.rows
    names = [name for name in rows.columns if name != "line"]
    yield rows.select(
        "line", *(pl.col(names[index]).alias(role) for role, index in positions.items())
    )


def list_workbook_columns(source: SourceFile, dialect: Dialect) -> list[str]:
    """Lists the names in the first row of the first sheet.

    Raises:
        UserError: As for `read_workbook`.
    """
    return _read_sheets(source, None, dialect)[0].layout.column_names


def _choose_sheet(
    source: SourceFile, sheets: Sequence[_Sheet], columns: Mapping[str, str]
) -> _Sheet:
    """Returns the only sheet, or the only one that has the columns, or else the first."""
    names = {name.strip() for name in columns.values()}
    matches = [
        sheet
        for sheet in sheets
        if names <= {name.strip() for name in sheet.layout.column_names}
        or sheet.layout.header_below is not None
    ]
    if len(matches) > 1:
        raise UserError(
            f"the sheets {format_names([sheet.name for sheet in matches])} all have these columns",
            where=str(source),
            hint="Put their rows into one sheet, or save the right one as CSV UTF-8.",
        )
    return matches[0] if matches else sheets[0]


def _read_sheets(
    source: SourceFile, columns: Mapping[str, str] | None, dialect: Dialect
) -> list[_Sheet]:
    """Reads the rows that are not empty of all sheets that have any, and detects their layouts."""
    require_modules("fastexcel")
    import fastexcel

    content = _read_content(source)
    try:
        workbook = fastexcel.read_excel(content)
        frames = {
            name: workbook.load_sheet(name, header_row=None, dtypes="string").to_polars()
            for name in workbook.sheet_names
        }
    except Exception as error:  # fastexcel's errors have no common type of their own
        raise UserError(
            f"this is not an Excel workbook, or it is damaged ({str(error).splitlines()[0]})",
            where=str(source),
            hint="Save it again as .xlsx, or as CSV UTF-8.",
        ) from error
    sheets = []
    for name, frame in frames.items():
        rows = frame.fill_null("").with_row_index("line", offset=1).cast({"line": pl.Int64})
        rows = rows.slice(dialect.skip_rows)
        rows = rows.filter(pl.any_horizontal(pl.exclude("line").str.strip_chars() != ""))
        if len(rows):
            sheets.append(_Sheet(name, rows, _detect_layout(source, rows, columns, dialect)))
    if not sheets:
        raise UserError("all sheets are empty", where=str(source), hint="Put the table into one.")
    return sheets


def _detect_layout(
    source: SourceFile, rows: pl.DataFrame, columns: Mapping[str, str] | None, dialect: Dialect
) -> TableLayout:
    """Detects the layout of a sheet from its first rows."""
    record = list(rows.row(0)[1:])
    while record and not record[-1].strip():
        record.pop()
    has_header = detect_header(record, columns, dialect.has_header)
    refuse_lost_header(str(source), record, columns, has_header)
    header_below = None
    if columns is not None and dialect.has_header is not False:
        records = [(int(row[0]), list(row[1:])) for row in rows.head(MAX_HEADER_LINE).iter_rows()]
        header_below = find_header_below(columns, records)
    return TableLayout(
        "",
        has_header,
        record if has_header else [],
        len(record),
        int(rows["line"][0]),
        header_below,
    )


def _read_content(source: SourceFile) -> bytes:
    """Reads the file, unless it unpacks to far more than a workbook does."""
    content = bytearray()
    with open_stream(source) as stream:
        while block := stream.read(_BLOCK_BYTES):
            content += block
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked_bytes = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise UserError(
            "this is not an Excel workbook (.xlsx)",
            where=str(source),
            hint="If it is a text table, its name must end in .csv.",
        ) from error
    if unpacked_bytes > max(ALWAYS_ALLOWED_BYTES, MAX_COMPRESSION_RATIO * len(content)):
        raise UserError(
            f"the workbook unpacks to {unpacked_bytes:,} bytes, which no workbook of "
            f"{len(content):,} bytes does",
            where=str(source),
            hint="Save it as CSV UTF-8.",
        )
    return bytes(content)

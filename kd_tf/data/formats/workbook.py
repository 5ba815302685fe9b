"""Reads the first sheet of an Excel workbook (.xlsx) as text, like a delimited file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping

import polars as pl

from kd_tf.data.formats.delimited import Dialect, TableLayout, detect_header, find_positions
from kd_tf.data.formats.files import (
    ALWAYS_ALLOWED_BYTES,
    MAX_COMPRESSION_RATIO,
    SourceFile,
    open_stream,
)
from kd_tf.errors import UserError
from kd_tf.extras import require_modules

_BLOCK_BYTES = 1 << 24


def read_workbook(
    source: SourceFile, columns: Mapping[str, str], dialect: Dialect
) -> Iterator[pl.DataFrame]:
    """Reads some columns of the first sheet, in one block.

    Args:
        source: The file.
        columns: Role -> column name, or number from 1.
        dialect: Whether there is a header, and the number of rows before the table.

    Yields:
        Like `kd_tf.data.formats.delimited.read_table`: column ``line`` (Int64, the row of the
        sheet, from 1) and one String column per role. An empty cell is an empty text; dates are
        ISO 8601.

    Raises:
        UserError: The file is not a workbook, a column is missing, or fastexcel is not installed.
    """
    sheet, layout = _read_sheet(source, columns, dialect)
    positions = find_positions(source, layout, columns)
    rows = sheet.slice(1) if layout.has_header else sheet
    names = [name for name in rows.columns if name != "line"]
    yield rows.select(
        "line", *(pl.col(names[index]).alias(role) for role, index in positions.items())
    )


def list_workbook_columns(source: SourceFile, dialect: Dialect) -> list[str]:
    """Lists the names in the first row of the first sheet.

    Raises:
        UserError: As for `read_workbook`.
    """
    return _read_sheet(source, None, dialect)[1].column_names


def _read_sheet(
    source: SourceFile, columns: Mapping[str, str] | None, dialect: Dialect
) -> tuple[pl.DataFrame, TableLayout]:
    """Reads the rows of the first sheet that are not empty, and detects its layout."""
    require_modules("fastexcel")
    import fastexcel

    content = _read_content(source)
    try:
        workbook = fastexcel.read_excel(content)
        sheet = workbook.load_sheet(0, header_row=None, dtypes="string").to_polars()
    except Exception as error:  # fastexcel's errors have no common type of their own
        raise UserError(
            f"this is not an Excel workbook, or it is damaged ({str(error).splitlines()[0]})",
            where=str(source),
            hint="Save it again as .xlsx, or as CSV UTF-8.",
        ) from error
    rows = sheet.fill_null("").with_row_index("line", offset=1).cast({"line": pl.Int64})
    rows = rows.slice(dialect.skip_rows)
    rows = rows.filter(pl.any_horizontal(pl.exclude("line").str.strip_chars() != ""))
    if rows.is_empty():
        raise UserError(
            "the first sheet is empty", where=str(source), hint="Put the table into it."
        )
    record = list(rows.row(0)[1:])
    while record and not record[-1].strip():
        record.pop()
    has_header = detect_header(record, columns, dialect.has_header)
    first_line = int(rows["line"][0])
    return rows, TableLayout("", has_header, record if has_header else [], len(record), first_line)


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

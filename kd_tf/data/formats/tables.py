"""Tables of all formats behind one interface: every value as text, row by row or column by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.delimited import Dialect, list_header, read_table
from kd_tf.data.formats.files import SourceFile
from kd_tf.data.formats.parquet import is_float_column, list_columns, read_parquet
from kd_tf.data.formats.workbook import list_workbook_columns, read_workbook
from kd_tf.errors import UserError


class Table(Protocol):
    """A table whose values are read as text."""

    @property
    def name(self) -> str:
        """Its name in notes."""

    def locate(self, line: int, column: str | None = None) -> str:
        """Formats a place in the table for messages."""

    def format_line(self, line: int) -> str:
        """Formats a line for messages that name the table already."""

    def list_columns(self) -> list[str]:
        """Lists the names of its columns; empty if it has none."""

    def holds_fractions(self, column: str) -> bool:
        """Says whether a column has a type of fractions; texts have none."""

    def read(self, columns: Mapping[str, str], bad_rows: BadRows) -> Iterator[pl.DataFrame]:
        """Reads some columns block by block; see `kd_tf.data.formats.delimited.read_table`."""


def open_table(source: SourceFile, dialect: Dialect | None = None) -> Table:
    """Returns the table of a file, by the ending of its name.

    Args:
        source: The file.
        dialect: The format of a delimited file; None detects it.

    Raises:
        UserError: A dialect was given for a file that has none.
    """
    name = source.name.lower()
    dialect = dialect or Dialect()
    if name.endswith(".parquet"):
        _check_dialect(source, dialect, Dialect())
        return ParquetTable(source)
    if name.endswith(".xlsx"):
        _check_dialect(
            source, dialect, Dialect(has_header=dialect.has_header, skip_rows=dialect.skip_rows)
        )
        return WorkbookTable(source, dialect)
    return DelimitedTable(source, dialect)


def _check_dialect(source: SourceFile, dialect: Dialect, possible_dialect: Dialect) -> None:
    """Checks that nothing was set that has no effect."""
    for name, value in vars(dialect).items():
        if value != getattr(possible_dialect, name):
            raise UserError(
                f"{name} has no effect on this kind of file",
                where=str(source),
                hint="Leave it out.",
            )


@dataclass(frozen=True)
class _FileTable:
    source: SourceFile

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.source.name

    def locate(self, line: int, column: str | None = None) -> str:
        """Formats a place in the file."""
        return self.source.locate(line, column)

    def format_line(self, line: int) -> str:
        """Formats a line of the file."""
        return self.source.format_line(line)

    def holds_fractions(self, column: str) -> bool:
        """Says no: all values are texts."""
        return False


@dataclass(frozen=True)
class DelimitedTable(_FileTable):
    """A table in a text file: CSV, TSV and relatives.

    Args:
        source: The file.
        dialect: Its format, as far as it is known.
    """

    dialect: Dialect = field(default_factory=Dialect)

    def list_columns(self) -> list[str]:
        """Lists the names in the header; empty if there is none."""
        return list_header(self.source, self.dialect)

    def read(self, columns: Mapping[str, str], bad_rows: BadRows) -> Iterator[pl.DataFrame]:
        """Reads some columns block by block."""
        return read_table(self.source, columns, bad_rows, dialect=self.dialect)


@dataclass(frozen=True)
class ParquetTable(_FileTable):
    """A Parquet file."""

    def holds_fractions(self, column: str) -> bool:
        """Says whether the column has a type of fractions."""
        return is_float_column(self.source, column)

    def list_columns(self) -> list[str]:
        """Lists the names of the columns."""
        return list_columns(self.source)

    def read(self, columns: Mapping[str, str], bad_rows: BadRows) -> Iterator[pl.DataFrame]:
        """Reads some columns block by block."""
        return read_parquet(self.source, columns)


@dataclass(frozen=True)
class WorkbookTable(_FileTable):
    """The sheet of an Excel workbook (.xlsx) that has the columns.

    Args:
        source: The file.
        dialect: Whether there is a header, and the number of rows before the table.
    """

    dialect: Dialect = field(default_factory=Dialect)

    def list_columns(self) -> list[str]:
        """Lists the names in the first row of the first sheet."""
        return list_workbook_columns(self.source, self.dialect)

    def read(self, columns: Mapping[str, str], bad_rows: BadRows) -> Iterator[pl.DataFrame]:
        """Reads some columns as one block."""
        return read_workbook(self.source, columns, self.dialect, bad_rows)

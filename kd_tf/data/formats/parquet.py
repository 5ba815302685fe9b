"""Reads columns of a Parquet file as text, like the columns of a delimited file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import polars as pl

from kd_tf.data.formats.delimited import make_spelling_hint
from kd_tf.data.formats.files import SourceFile, format_names
from kd_tf.errors import UserError

_BLOCK_ROWS = 1 << 20


def read_parquet(source: SourceFile, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """Reads some columns block by block.

    Args:
        source: The file; it must not be inside an archive.
        columns: Role -> name of the column in the file.

    Yields:
        Like `kd_tf.data.formats.delimited.read_table`: column ``line`` (Int64, here the row, from
        1) and one String column per role. A missing value is an empty text; times are ISO 8601, in
        UTC.

    Raises:
        UserError: The file is not a Parquet file, or a column is missing.
    """
    if source.member is not None:
        raise UserError(
            "a Parquet file inside an archive cannot be read",
            where=str(source),
            hint="Unpack it: Parquet files are already compressed.",
        )
    table = pl.scan_parquet(source.path)
    with _explain_errors(source):
        schema = table.collect_schema()
    for name in columns.values():
        if name not in schema:
            raise UserError(
                f"there is no column {name!r}; the columns are {format_names(list(schema))}",
                where=str(source),
                hint=make_spelling_hint(name, list(schema))
                or "Use the name of one of these columns.",
            )
        if isinstance(schema[name], (pl.Struct, pl.Duration, pl.Object)):
            raise UserError(
                f"column {name!r} has the type {schema[name]}, not text, numbers or times",
                where=str(source),
                hint="Write the column as one of these.",
            )
    texts = table.select(
        _cast_to_text(name, schema[name]).alias(role) for role, name in columns.items()
    )
    begin = 0
    while True:
        with _explain_errors(source):
            block = texts.slice(begin, _BLOCK_ROWS).collect()
        if not len(block) and begin:
            return
        yield block.with_row_index("line", offset=begin + 1).cast({"line": pl.Int64})
        begin += _BLOCK_ROWS


def list_columns(source: SourceFile) -> list[str]:
    """Lists the columns of a Parquet file.

    Raises:
        UserError: The file is not a Parquet file.
    """
    with _explain_errors(source):
        return list(pl.scan_parquet(source.path).collect_schema())


def is_float_column(source: SourceFile, column: str) -> bool:
    """Says whether a column holds fractions.

    Raises:
        UserError: The file is not a Parquet file.
    """
    with _explain_errors(source):
        dtype = pl.scan_parquet(source.path).collect_schema().get(column)
    return dtype is not None and dtype.is_float()


@contextlib.contextmanager
def _explain_errors(source: SourceFile) -> Iterator[None]:
    """Turns the errors that polars raises for a damaged file into a `UserError` naming it."""
    try:
        yield
    # For some damaged files polars panics; PanicException is not a subclass of Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UserError(
            f"this is not a Parquet file, or it is damaged ({str(error).partition(chr(10))[0]})",
            where=str(source),
            hint="Write it again.",
        ) from error


def _cast_to_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """Casts a column to String: times as ISO 8601, lists as Python writes them, null as ""."""
    column = pl.col(name)
    if isinstance(dtype, (pl.List, pl.Array)):
        return column.map_elements(lambda parts: str(parts.to_list()), pl.String).fill_null("")
    if dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f")
    return column.cast(pl.String).fill_null("")

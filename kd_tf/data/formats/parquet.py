"""Columns of a Parquet file, as the text that a delimited file would have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import polars as pl

from kd_tf.data.formats.files import SourceFile
from kd_tf.errors import UserError

_BLOCK_ROWS = 1 << 20


def read_parquet(source: SourceFile, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """Reads the asked columns block by block.

    Args:
        source: The file; it cannot lie inside an archive.
        columns: The file's name for each role.

    Yields:
        As `kd_tf.data.formats.delimited.read_table`: column ``line`` (here the row, from 1) and one
        String column a role. A missing value is an empty text; times are seconds since 1970.

    Raises:
        UserError: The file is no Parquet file, a column is missing, or ids are fractions.
    """
    if source.member is not None:
        raise UserError(
            "a Parquet file inside an archive cannot be read",
            where=str(source),
            hint="Unpack it: Parquet is compressed already.",
        )
    table = pl.scan_parquet(source.path)
    with _explain_errors(source):
        schema = table.collect_schema()
    for role, name in columns.items():
        if name not in schema:
            raise UserError(
                f"there is no column {name!r}; the columns are {', '.join(schema)}",
                where=str(source),
                hint="Name one of these columns.",
            )
        if role in ("user", "item", "item_id") and schema[name].is_float():
            raise UserError(
                f"column {name!r} holds fractions ({schema[name]}), which are no ids",
                where=str(source),
                hint="Cast it to whole numbers or text; missing values turn whole numbers into "
                "fractions when pandas writes them.",
            )
    asked = table.select(
        _cast_to_text(name, schema[name]).alias(role) for role, name in columns.items()
    )
    begin = 0
    while True:
        with _explain_errors(source):
            block = asked.slice(begin, _BLOCK_ROWS).collect()
        if not len(block) and begin:
            return
        yield block.with_row_index("line", offset=begin + 1).cast({"line": pl.Int64})
        begin += _BLOCK_ROWS


@contextlib.contextmanager
def _explain_errors(source: SourceFile) -> Iterator[None]:
    """Turns what polars says of a damaged file into an error that names it."""
    try:
        yield
    # A panic is how polars meets some damaged files; it is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UserError(
            f"this is no Parquet file, or a damaged one ({str(error).partition(chr(10))[0]})",
            where=str(source),
            hint="Write it again.",
        ) from error


def _cast_to_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).dt.epoch("s")
    return column.cast(pl.String).fill_null("")

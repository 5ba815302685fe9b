"""Reads tables block by block to a `RawTable`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.delimited import Dialect, make_spelling_hint, read_layout
from kd_tf.data.formats.files import format_names, get_single_table
from kd_tf.data.formats.tables import DelimitedTable, Table, open_table
from kd_tf.data.ranking.canonical_texts import (
    list_missing_texts,
    make_canonical_texts,
    parse_numbers,
    use_decimal_point,
    write_exponents_out,
    write_lists_out,
)
from kd_tf.data.ranking.distinct_values import DistinctValues
from kd_tf.data.ranking.raw_table import RawColumn, RawRows, RawTable
from kd_tf.data.sources.dataframe import FrameTable
from kd_tf.data.sources.own_tables import derive_name
from kd_tf.data.sources.table_options import TableRules
from kd_tf.errors import UserError

TableSource = str | Path | pd.DataFrame | pl.DataFrame
"""A file, or a table in memory."""

MAX_CODED_VALUES = 1 << 18
"""A column of numbers with more distinct values is kept as numbers, and one of sentences is not
kept: its texts would need most of the memory."""

_WORDS_OF_A_SENTENCE = 4
_EXACT_NUMBER = r"^-?(?:0|[1-9][0-9]{0,14}|(?:0|[1-9][0-9]{0,6})\.[0-9]{0,7}[1-9])$"
"""Numbers that a double holds exactly enough to write the same text again."""


def open_source(
    source: TableSource, dialect: Dialect | None = None, name: str = "dataframe"
) -> Table:
    """Opens a file or a table in memory.

    Args:
        source: A path (CSV, TSV and relatives, Parquet, Excel workbook, packed), or a DataFrame of
            pandas or polars.
        dialect: Format of a text file, as far as it is known.
        name: What a DataFrame is called in messages.

    Raises:
        UserError: There is no such file, or it is no table.
    """
    if isinstance(source, (str, Path)):
        return open_table(get_single_table(Path(source)), dialect)
    if isinstance(source, pl.DataFrame):
        return _PolarsTable(source, name)
    if not isinstance(source, pd.DataFrame):
        raise UserError(
            f"a table is a path or a DataFrame of pandas or polars, not {type(source).__name__}",
            hint="For example interactions='clicks.csv'.",
        )
    names = [str(column) for column in source.columns]
    if len(set(names)) < len(names):
        repeats = sorted({column for column in names if names.count(column) > 1})
        raise UserError(
            f"{name} has several columns {format_names(repeats)}",
            hint="Keep one: frame.loc[:, ~frame.columns.duplicated()].",
        )
    return FrameTable(source.set_axis(names, axis=1), name)


class _PolarsTable:
    """A polars DataFrame as a table whose values are read as text."""

    def __init__(self, frame: pl.DataFrame, name: str) -> None:
        self.frame, self.name = frame, name

    def locate(self, line: int, column: str | None = None) -> str:
        """Formats the place of a row, counted from 0."""
        return f"{self.name}, {self.format_line(line)}" + (f', column "{column}"' if column else "")

    def format_line(self, line: int) -> str:
        """Formats a row, counted from 0."""
        return f"row {line - 1}"

    def list_columns(self) -> list[str]:
        """Lists the names of the columns."""
        return self.frame.columns

    def holds_fractions(self, column: str) -> bool:
        """Says whether a column has a type of fractions."""
        return column in self.frame.columns and self.frame.schema[column].is_float()

    def read(self, columns: Mapping[str, str], bad_rows: BadRows) -> Iterator[pl.DataFrame]:
        """Reads some columns block by block."""
        for begin in range(0, max(len(self.frame), 1), MAX_CODED_VALUES):
            block = self.frame.slice(begin, MAX_CODED_VALUES)
            texts = {role: _cast_to_text(block[name]) for role, name in columns.items()}
            lines = pl.int_range(begin + 1, begin + 1 + len(block), eager=True)
            yield pl.DataFrame({"line": lines, **texts})


def _cast_to_text(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, (pl.List, pl.Array)):
        values = values.cast(pl.List(pl.String)).list.join("|", ignore_nulls=True)
    elif values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f")
    return values.cast(pl.String).fill_null("")


def list_columns(table: Table, names_in_header: Sequence[str] = ()) -> list[str]:
    """Lists the columns of a table: their names, or 1, 2, 3, ... where it has no header.

    Args:
        table: The table.
        names_in_header: Names that only a header has: a first line with all of them is one,
            although it may have numbers.

    Raises:
        UserError: A name is empty or occurs twice.
    """
    if isinstance(table, DelimitedTable):
        roles = {name: name for name in names_in_header if not name.isdecimal()}
        layout = read_layout(table.source, roles or None, dialect=table.dialect)
        names = layout.column_names
        if not layout.has_header:
            return [str(number) for number in range(1, layout.num_fields + 1)]
    else:
        names = table.list_columns()
    names = [name.strip() for name in names if name.strip()]
    repeats = sorted({name for name in names if names.count(name) > 1})
    if repeats:
        raise UserError(
            f"several columns are called {format_names(repeats)}",
            where=table.locate(1),
            hint="Give every column a name of its own.",
        )
    return names


def check_names(names: Collection[str], all_names: Sequence[str], where: str, what: str) -> None:
    """Checks that columns exist.

    Raises:
        UserError: One does not.
    """
    for name in names:
        if name not in all_names:
            raise UserError(
                f"{what} names the column {name!r}, which does not exist; the columns are "
                f"{format_names(list(all_names))}",
                where=where,
                hint=make_spelling_hint(name, list(all_names))
                or "Use the name of one of these columns.",
            )


def read_raw_table(
    tables: Sequence[Table],
    columns: Sequence[str],
    rules: TableRules,
    *,
    kept_texts: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> RawTable:
    """Reads tables that have the same columns, one below the other.

    Args:
        tables: The tables.
        columns: Names of the columns that are read.
        rules: How values are written and which rows are taken.
        kept_texts: Columns whose values are kept as texts even if there are very many.
        progress: Gets the number of rows read so far.

    Raises:
        UserError: A column is missing, or a row is bad.
    """
    missing = list_missing_texts(rules.values.null_values)
    builders = {
        name: _ColumnBuilder(
            name,
            missing,
            has_comma=rules.values.decimal == ",",
            is_double=any(table.holds_fractions(name) for table in tables),
            keeps_texts=name in kept_texts,
        )
        for name in columns
    }
    lines: list[np.ndarray] = []
    files: list[RawRows] = []
    bad_places: list[np.ndarray] = []
    num_rows = 0
    for table in tables:
        bad_rows = BadRows(table, rules.on_bad_rows)
        begin = num_rows
        roles = {f"c{place}": name for place, name in enumerate(columns)}
        conditions = {f"w{place}": where.column for place, where in enumerate(rules.where)}
        for block in table.read({**roles, **conditions}, bad_rows):
            bad_rows.raise_or_skip()
            frame = block
            for role, where in zip(conditions, rules.where, strict=True):
                is_met = where.find(frame[role], rules.values.decimal)
                bad_rows.pass_over(f"not {where}", int((~is_met).sum()))
                frame = frame.filter(is_met)
            is_bad = np.zeros(len(frame), bool)
            for role, name in roles.items():
                is_bad |= builders[name].add(frame[role], frame["line"], bad_rows)
            bad_rows.raise_or_skip()
            bad_places.append(num_rows + np.flatnonzero(is_bad))
            numbers = frame["line"].to_numpy()
            small = len(numbers) == 0 or numbers[-1] < 2**31
            lines.append(numbers.astype(np.int32) if small else numbers)
            num_rows += len(frame)
            if progress is not None:
                progress(num_rows)
        files.append(RawRows(bad_rows, begin, num_rows))
    table_columns = {name: builders.pop(name).build() for name in columns}
    is_good = np.ones(num_rows, bool)
    is_good[np.concatenate([*bad_places, np.empty(0, np.int64)])] = False
    all_lines = np.concatenate(lines) if lines else np.empty(0, np.int32)
    return RawTable(table_columns, all_lines, tuple(files)).keep(is_good)


class _ColumnBuilder:
    """Collects a column block by block."""

    def __init__(
        self, name: str, missing: Sequence[str], *, has_comma: bool, is_double: bool,
        keeps_texts: bool,
    ) -> None:  # fmt: skip
        self.name, self.missing = name, missing
        self.has_comma, self.is_double, self.keeps_texts = has_comma, is_double, keeps_texts
        self.is_number = self.is_text = False
        self._values: DistinctValues | None = DistinctValues()
        self._chunks: list[np.ndarray] = []
        self._num_checked = MAX_CODED_VALUES

    def add(self, texts: pl.Series, lines: pl.Series, bad_rows: BadRows) -> np.ndarray:
        """Adds a block; returns which of its rows are bad, bool [n], and says so to `bad_rows`."""
        texts = self._canonicalize(texts)
        if self.is_number:
            numbers = parse_numbers(texts)
            is_missing = texts.is_null().to_numpy()
            is_bad: np.ndarray = ~(np.isfinite(numbers) | is_missing)
            if is_bad.any():
                mask = pl.Series(is_bad)
                bad_rows.add_all(
                    lines.filter(mask),
                    texts.filter(mask),
                    f"is no finite number, as all values before it are: if they are categories, "
                    f"name the column: --categorical {self.name}",
                    self.name,
                )
            self._chunks.append(np.where(is_bad, np.nan, numbers))
            return is_bad
        if self._values is None:
            self._chunks.append(np.where(texts.is_null().to_numpy(), -1, 0).astype(np.int8))
        else:
            self._chunks.append(self._values.add(texts))
            if len(self._values) > self._num_checked:
                self._shrink()
        return np.zeros(len(texts), np.bool_)

    def _canonicalize(self, texts: pl.Series) -> pl.Series:
        # Most columns repeat their values: rules are applied to distinct ones.
        distinct_texts = texts.unique()
        if len(distinct_texts) > len(texts) // 2:
            return self._apply_rules(texts)
        pairs = pl.DataFrame({"text": distinct_texts, "value": self._apply_rules(distinct_texts)})
        rows = texts.to_frame("text")
        return rows.join(pairs, on="text", how="left", maintain_order="left")["value"]

    def _apply_rules(self, texts: pl.Series) -> pl.Series:
        if self.has_comma:
            texts = use_decimal_point(texts)
        texts = make_canonical_texts(write_lists_out(texts), self.missing)
        return write_exponents_out(texts) if self.is_double else texts

    def _shrink(self) -> None:
        """Keeps a column with a great many distinct values in less memory, if it can be."""
        assert self._values is not None
        self._num_checked = len(self._values) * 4
        texts = self._values.join_texts()
        if self.keeps_texts:
            return
        if texts.str.contains(_EXACT_NUMBER).all():
            numbers = np.append(parse_numbers(texts), np.nan)
            self._chunks = [numbers[chunk] for chunk in self._chunks]
            self.is_number = True
        elif count_words(texts) >= _WORDS_OF_A_SENTENCE:
            self._chunks = [np.minimum(chunk, 0).astype(np.int8) for chunk in self._chunks]
            self.is_text = True
        if self.is_number or self.is_text:
            self._values = None

    def build(self) -> RawColumn:
        """Returns the column."""
        dtype = np.float64 if self.is_number else np.int8 if self.is_text else np.int32
        values = np.concatenate([*self._chunks, np.empty(0, dtype)])
        self._chunks = []
        if self.is_number:
            return RawColumn(self.name, None, pl.Series([], dtype=pl.String), values)
        texts = (
            pl.Series([], dtype=pl.String) if self._values is None else self._values.join_texts()
        )
        return RawColumn(self.name, values, texts, is_long_text=self.is_text)


def count_words(texts: pl.Series) -> float:
    """Returns the mean number of words of texts, which blanks separate."""
    counts: Any = texts.str.strip_chars().str.count_matches(r"\s+").mean()
    return 0.0 if counts is None else float(counts) + 1


def get_source_name(source: TableSource) -> str:
    """Returns the name of a data set, by its table."""
    return derive_name(Path(source)) if isinstance(source, (str, Path)) else "dataframe"

"""A table in memory before it is encoded: every value 4 or 8 bytes, however long its text is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.ranking.canonical_texts import parse_numbers
from kd_tf.runtime.features.values import format_number


@dataclass(frozen=True, eq=False)
class RawColumn:
    """A column of a table.

    Attributes:
        name: Its name.
        codes: int32 [n], place of each value in `texts`, -1 where it is missing; None where
            `numbers` has the values.
        texts: String [d], the distinct canonical texts.
        numbers: float64 [n], the values of a column with a great many numbers, NaN where one is
            missing; None where `codes` has them.
        is_long_text: Whether the column held a great many sentences, which were not kept: `codes`
            then only says which are missing.

    Example:
        >>> column = RawColumn("price", np.array([1, 0, -1]), pl.Series(["2.5", "3"]))
        >>> column.read_numbers().tolist()
        [3.0, 2.5, nan]
    """

    name: str
    codes: np.ndarray | None
    texts: pl.Series
    numbers: np.ndarray | None = None
    is_long_text: bool = False

    def __len__(self) -> int:
        return len(self.codes if self.codes is not None else self.numbers)  # type: ignore[arg-type]

    def take(self, rows: np.ndarray) -> RawColumn:
        """Returns some of the rows; rows of -1 are missing."""
        return dataclasses.replace(
            self,
            codes=None if self.codes is None else _take(self.codes, rows, -1),
            numbers=None if self.numbers is None else _take(self.numbers, rows, np.nan),
        )

    @property
    def is_missing(self) -> np.ndarray:
        """Which values are missing: bool [n]."""
        if self.codes is not None:
            return self.codes < 0
        return np.isnan(self.numbers)  # type: ignore[arg-type]

    @cached_property
    def text_numbers(self) -> np.ndarray:
        """The numbers that `texts` are: float64 [d], NaN where one is no number."""
        return parse_numbers(self.texts)

    def read_numbers(self) -> np.ndarray:
        """Returns the values as numbers: float64 [n], NaN where one is missing or no number."""
        if self.codes is None:
            assert self.numbers is not None
            return self.numbers
        numbers: np.ndarray = np.append(self.text_numbers, np.nan)[self.codes]
        return numbers

    @cached_property
    def as_codes(self) -> RawColumn:
        """The column with codes, which a great many numbers do not have at first."""
        if self.codes is not None:
            return self
        assert self.numbers is not None
        distinct_numbers, codes = np.unique(self.numbers, return_inverse=True)
        num_distinct = len(distinct_numbers) - int(np.isnan(self.numbers).any())
        codes = np.where(codes < num_distinct, codes, -1).astype(np.int32)
        return RawColumn(self.name, codes, format_numbers(distinct_numbers[:num_distinct]))


def format_numbers(numbers: np.ndarray) -> pl.Series:
    """Returns the canonical texts of finite numbers: String [n]."""
    if (np.abs(numbers) < 2**53).all() and (numbers == np.floor(numbers)).all():
        return pl.Series(numbers.astype(np.int64)).cast(pl.String)
    return pl.Series(list(map(format_number, numbers.tolist())), dtype=pl.String)


def number_combinations(columns: Sequence[RawColumn]) -> tuple[list[pl.Series], np.ndarray]:
    """Numbers the distinct combinations of the values of columns.

    Args:
        columns: At least one column.

    Returns:
        The texts of the combinations, String [d] per column, null where a value is missing; and the
        combination of each row, int64 [n].

    Example:
        >>> device = RawColumn("device", np.array([0, 1, 0, -1]), pl.Series(["phone", "tablet"]))
        >>> hour = RawColumn("hour", np.array([0, 0, 0, 0]), pl.Series(["9"]))
        >>> texts, codes = number_combinations([device, hour])
        >>> [column.to_list() for column in texts], codes.tolist()
        ([[None, 'phone', 'tablet'], ['9', '9', '9']], [1, 2, 1, 0])
    """
    coded_columns = [column.as_codes for column in columns]
    codes = np.zeros(len(columns[0]), np.int64)
    places: list[np.ndarray] = []
    for column in coded_columns:
        assert column.codes is not None
        combined_codes = codes * (len(column.texts) + 1) + column.codes + 1
        distinct_codes, codes = np.unique(combined_codes, return_inverse=True)
        earlier, latest = np.divmod(distinct_codes, len(column.texts) + 1)
        places = [earlier_places[earlier] for earlier_places in places] + [latest]
    texts = [
        pl.concat([pl.Series([None], dtype=pl.String), column.texts]).gather(column_places)
        for column, column_places in zip(coded_columns, places, strict=True)
    ]
    return texts, codes


def _take(values: np.ndarray, rows: np.ndarray, missing: float) -> np.ndarray:
    if not len(values):
        return np.full(len(rows), missing, values.dtype)
    taken_values: np.ndarray = values[rows]
    if len(rows) and rows.min() < 0:
        taken_values[rows < 0] = missing
    return taken_values


@dataclass(frozen=True, eq=False)
class RawRows:
    """Where the rows of one file stand in a `RawTable`.

    Attributes:
        bad_rows: The file, and its rows that cannot be used.
        begin: Its first row.
        end: The row after its last one.
    """

    bad_rows: BadRows
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class RawTable:
    """A table whose values are read, but not encoded.

    Attributes:
        columns: The columns by their names.
        lines: Integers [n], the line of each row in its file.
        files: The files, in the order of their rows.
        notes: Notes on how it was read.
    """

    columns: dict[str, RawColumn]
    lines: np.ndarray
    files: tuple[RawRows, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def drop_bad_rows(
        self, is_bad: np.ndarray, values: Sequence[str], reason: str, column: str
    ) -> tuple[RawTable, np.ndarray]:
        """Returns the table without bad rows, or stops at the first, as `on_bad_rows` says.

        Args:
            is_bad: bool [n].
            values: The text that is wrong in each bad row.
            reason: Follows the value in the message.
            column: Name of the column.

        Returns:
            The other rows, and which of the rows they are, bool [n].

        Raises:
            UserError: There is a bad row, and bad rows are not to be skipped.
        """
        rows = np.flatnonzero(is_bad)
        if not len(rows):
            return self, ~is_bad
        for file in self.files:
            places = np.flatnonzero((rows >= file.begin) & (rows < file.end))
            for place in places.tolist():
                line = int(self.lines[rows[place]])
                file.bad_rows.add(line, values[place], reason, column)
            file.bad_rows.raise_or_skip()
        return self.keep(~is_bad), ~is_bad

    def keep(self, mask: np.ndarray) -> RawTable:
        """Returns the rows of a mask, bool [n]."""
        if mask.all():
            return self
        rows = np.flatnonzero(mask)
        ends = np.cumsum(mask)
        files = tuple(
            RawRows(
                file.bad_rows,
                int(ends[file.begin - 1]) if file.begin else 0,
                int(ends[file.end - 1]) if file.end else 0,
            )
            for file in self.files
        )
        return dataclasses.replace(
            self,
            columns={name: column.take(rows) for name, column in self.columns.items()},
            lines=self.lines[rows],
            files=files,
        )

    def locate(self, row: int, column: str | None = None) -> str:
        """Formats the place of a row for messages."""
        for file in self.files:
            if file.begin <= row < file.end:
                return file.bad_rows.source.locate(int(self.lines[row]), column)
        return f"row {row}"

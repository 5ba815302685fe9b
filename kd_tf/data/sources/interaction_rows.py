"""Reads the rows of an interaction table of any format: one implementation of what is valid."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kd_tf.data.dataset import Dataset
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import CONDITION
from kd_tf.data.formats.tables import Table
from kd_tf.data.row_conditions import RowCondition, describe_values
from kd_tf.data.values.ids import mask_missing, mask_scientific, mask_totals, normalize_ids
from kd_tf.data.values.numbers import DecimalMark, parse_floats, parse_ratings
from kd_tf.data.values.rules import ValueRules
from kd_tf.data.values.times import LAST_TIME, MICROSECONDS, NO_TIME, TimeParser, TimeRules
from kd_tf.errors import UserError

_MAX_FOOTER_ROWS = 3
"""How many rows at the end of a table may be totals."""

_ZERO_SHARE = 0.1
"""From this share of ratings of 0 on, a note says that they may mean something else."""

_ID_KINDS = {"user": "a user id", "item": "an item id"}


@dataclass(frozen=True)
class InteractionColumns:
    """The columns of an interaction table, by name or by number from 1.

    Attributes:
        user: The user id, any text.
        item: The item id, any text.
        rating: A finite number, or nothing where it is unknown; None if there is no such column.
        timestamp: A time (`kd_tf.data.values.times`), or nothing where it is unknown; None if there
            is no such column.
    """

    user: str
    item: str
    rating: str | None = None
    timestamp: str | None = None


class InteractionRows:
    """The rows of an interaction table, in the blocks that `from_chunks` takes.

    Iterating reads the table and raises `UserError` for a bad row, unless bad rows are skipped.

    Args:
        table: The table.
        columns: Its columns.
        on_bad_rows: What to do with a bad row.
        values: How values are written.
        where: Conditions; rows that do not meet all of them are left out and counted.

    Attributes:
        table: The table.
        columns: Role -> column, for the columns that are read.
        bad_rows: The bad rows; complete after the last row.
        notes: The notes on the rows; complete after the last row.
    """

    def __init__(
        self,
        table: Table,
        columns: InteractionColumns,
        *,
        on_bad_rows: OnBadRows,
        values: ValueRules | None = None,
        where: Sequence[RowCondition] = (),
    ) -> None:
        self.table = table
        self.columns = get_column_names(columns)
        self.values = values or ValueRules()
        self.where = tuple(where)
        self.bad_rows = BadRows(table, on_bad_rows)
        self.notes: tuple[str, ...] = ()
        self._condition_values: dict[str, int] = {}
        self._doubts: dict[tuple[str, str], list[Any]] = {}
        self._ratings = [0, 0]

    def __iter__(self) -> Iterator[pl.DataFrame]:
        refuse_fractions(self.table, self.columns, self.values)
        conditions = {
            f"{CONDITION}{place}": condition.column for place, condition in enumerate(self.where)
        }
        good_rows, num_read = 0, 0
        blocks = self.table.read({**self.columns, **conditions}, self.bad_rows)
        block = next(blocks, None)
        times = None
        if block is not None and "timestamp" in self.columns:
            times = self._make_time_parser(block["timestamp"])
        while block is not None:
            next_block = next(blocks, None)
            num_read += len(block)
            frame = self._choose_rows(block)
            if next_block is None:
                frame = self._drop_footer(frame)
            frame = self._parse_ids(frame)
            if "rating" in self.columns:
                frame = self._parse_ratings(frame)
            if times is not None:
                frame = self._parse_times(frame, times)
            self.bad_rows.raise_or_skip()
            good_rows += len(frame)
            yield frame.drop("line", *conditions)
            block = next_block
        if num_read and not good_rows and self.where and not self.bad_rows.count:
            raise UserError(
                f"no row meets {' and '.join(map(str, self.where))}",
                where=self.table.locate(1, self.where[0].column),
                hint=f"The column has {describe_values(self._condition_values)}.",
            )
        self.notes = self.bad_rows.finish(good_rows) + self._describe_doubts()
        if times is not None and times.reading:
            self.notes += (f"{self.columns['timestamp']} of {self.table.name} is {times.reading}",)

    def add_notes_to(self, dataset: Dataset, notes: tuple[str, ...] = ()) -> Dataset:
        """Returns the data set made from these rows with the notes and counts of skipped rows.

        Args:
            dataset: The data set; all rows have been read.
            notes: Further notes, which go after those on skipped rows.
        """
        return add_notes(dataset, self.bad_rows, self.notes + notes)

    def _make_time_parser(self, first_times: pl.Series) -> TimeParser:
        """Makes the parser of the times; reads them all first if their order must be found out."""
        column = self.columns["timestamp"]
        parser = TimeParser(self.values.times, self.table.locate(1, column))
        if parser.needs_survey(first_times):
            for block in self.table.read({"timestamp": column}, BadRows(self.table, "skip")):
                parser.survey(block["timestamp"].str.strip_chars())
            parser.decide_order()
        return parser

    def _choose_rows(self, block: pl.DataFrame) -> pl.DataFrame:
        """Keeps the rows that meet all conditions."""
        for place, condition in enumerate(self.where):
            values = block[f"{CONDITION}{place}"]
            is_met = condition.find(values, self.values.decimal)
            self.bad_rows.pass_over(f"not {condition}", int((~is_met).sum()))
            self._collect_doubts(condition, values.filter(~is_met))
            if not place and len(self._condition_values) < 1000:
                for value, count in values.value_counts().iter_rows():
                    self._condition_values[value] = self._condition_values.get(value, 0) + count
            block = block.filter(is_met)
        return block

    def _collect_doubts(self, condition: RowCondition, values: pl.Series) -> None:
        """Collects values that do not meet a condition only for how they are written."""
        texts = mask_missing(values, self.values.null_values).drop_nulls()
        doubtful_texts, why = condition.find_doubtful(texts, self.values.decimal)
        if len(doubtful_texts):
            doubt = self._doubts.setdefault((str(condition), why), [0, doubtful_texts[0]])
            doubt[0] += len(doubtful_texts)

    def _describe_doubts(self) -> tuple[str, ...]:
        return tuple(
            f"{condition} leaves out {count} {'row' if count == 1 else 'rows'} whose value {why} "
            f"(the first is {text!r})"
            for (condition, why), (count, text) in self._doubts.items()
        )

    def _drop_footer(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Refuses totals in the last rows of a report."""
        is_total = mask_totals(frame["user"]) & (
            pl.int_range(len(frame), eager=True) >= len(frame) - _MAX_FOOTER_ROWS
        )
        if not is_total.any():
            return frame
        totals = frame.filter(is_total)
        reason = "looks like the total of a report, not like a user"
        self.bad_rows.add_all(totals["line"], totals["user"], reason, self.columns["user"])
        return frame.filter(~is_total)

    def _parse_ids(self, frame: pl.DataFrame) -> pl.DataFrame:
        for role, kind in _ID_KINDS.items():
            column = self.columns[role]
            frame = parse_ids_of(frame, role, column, kind, self.values, self.bad_rows)
        return frame

    def _parse_ratings(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Parses ratings to Float32, NaN where a row has none."""
        texts = mask_missing(frame["rating"], self.values.null_values)
        ratings = parse_ratings(texts, self.values.decimal)
        is_bad = ratings.is_null() & texts.is_not_null()
        if is_bad.any():
            failures = frame.filter(is_bad)
            other_mark: DecimalMark = "," if self.values.decimal == "." else "."
            would_fit = parse_ratings(failures["rating"], other_mark).is_not_null().all()
            reason = "is not a finite number"
            if would_fit:
                reason += f" with the decimal mark {self.values.decimal!r}: --decimal {other_mark}"
            self.bad_rows.add_all(
                failures["line"], failures["rating"], reason, self.columns["rating"]
            )
        self._ratings[0] += int((ratings == 0).sum())
        self._ratings[1] += int((ratings >= 0.5).sum())
        return frame.with_columns(ratings.fill_null(float("nan")).alias("rating")).filter(~is_bad)

    def _parse_times(self, frame: pl.DataFrame, parser: TimeParser) -> pl.DataFrame:
        """Parses times to Int64 seconds and, if any is finer, Int32 microseconds."""
        texts = mask_missing(frame["timestamp"], self.values.null_values)
        times = parser.parse(texts)
        is_bad = times.is_null()
        for is_number in (False, True):
            of_kind = is_bad & (parse_floats(texts).is_not_null() == is_number)
            if of_kind.any():
                failures = frame.filter(of_kind)
                self.bad_rows.add_all(
                    failures["line"],
                    failures["timestamp"],
                    parser.explain(is_number),
                    self.columns["timestamp"],
                )
        if self.values.times == TimeRules():
            is_late = (times > LAST_TIME).fill_null(value=False)
            if is_late.any():
                failures = frame.filter(is_late)
                reason = "is after the year 2099; if that is right: --time-format or --time-unit"
                self.bad_rows.add_all(
                    failures["line"], failures["timestamp"], reason, self.columns["timestamp"]
                )
            is_bad |= is_late
        frame, times = frame.filter(~is_bad), times.filter(~is_bad)
        is_unknown = times == NO_TIME
        seconds = (times // MICROSECONDS).set(is_unknown, NO_TIME)
        microseconds = (times % MICROSECONDS).set(is_unknown, 0).cast(pl.Int32)
        frame = frame.with_columns(seconds.alias("timestamp"))
        if (microseconds != 0).any():
            frame = frame.with_columns(microseconds.alias("microsecond"))
        return frame

    def describe_zeros(self) -> tuple[str, ...]:
        """Returns a note if many ratings are 0, which often stands for no rating."""
        zeros, others = self._ratings
        if not others or zeros < _ZERO_SHARE * (zeros + others):
            return ()
        return (
            f"{zeros} of {zeros + others} ratings are 0: if that means not rated, leave them out "
            f"with --where '{self.columns['rating']}>0'",
        )


def parse_ids_of(
    frame: pl.DataFrame,
    role: str,
    column: str,
    kind: str,
    values: ValueRules,
    bad_rows: BadRows,
) -> pl.DataFrame:
    """Parses a column of ids, and drops the rows that have none.

    Args:
        frame: A block of a table.
        role: The column of `frame`.
        column: Its name in the table.
        kind: What it should be, for messages: "a user id".
        values: How ids are written.
        bad_rows: Gets the rows without an id.
    """
    ids = mask_missing(frame[role], values.null_values)
    precise_ids = mask_scientific(ids)
    for is_bad, reason in (
        (ids.is_null(), f"is not {kind}"),
        (
            precise_ids.is_null() & ids.is_not_null(),
            f"is not {kind}: a spreadsheet has rounded it; write the column as text",
        ),
    ):
        if is_bad.any():
            failures = frame.filter(is_bad)
            bad_rows.add_all(failures["line"], failures[role], reason, column)
    ids = normalize_ids(precise_ids, values.normalize_ids)
    return frame.with_columns(ids.alias(role)).filter(ids.is_not_null())


def refuse_fractions(table: Table, columns: dict[str, str], values: ValueRules) -> None:
    """Checks that ids were not stored as fractions, as pandas does if some are missing.

    Raises:
        UserError: They were, and the rules do not make them whole.
    """
    for role in ("user", "item", "item_id"):
        if (
            role in columns
            and values.normalize_ids != "integers"
            and table.holds_fractions(columns[role])
        ):
            raise UserError(
                f"column {columns[role]!r} holds fractions, which cannot be ids",
                where=table.locate(1, columns[role]),
                hint="pandas writes whole numbers as fractions if values are missing: store "
                'them with .astype("Int64"), or read them as whole numbers with '
                "normalize_ids integers (--normalize-ids integers).",
            )


def get_column_names(columns: object) -> dict[str, str]:
    """Returns role -> column of a dataclass of columns, for those that exist."""
    names = dataclasses.asdict(columns)  # type: ignore[call-overload]
    return {role: name for role, name in names.items() if name is not None}


def add_notes(dataset: Dataset, bad_rows: BadRows, notes: tuple[str, ...]) -> Dataset:
    """Returns the data set with the number of its skipped rows and with notes before its own."""
    return dataclasses.replace(
        dataset,
        notes=notes + dataset.notes,
        dropped_rows={**dataset.dropped_rows, **bad_rows.counts_by_reason()},
    )

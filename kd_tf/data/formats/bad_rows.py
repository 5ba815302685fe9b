"""What becomes of rows that cannot be used: the first one ends the run, or all are counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import polars as pl

from kd_tf.data.formats.files import SourceFile
from kd_tf.errors import UserError

OnBadRows = Literal["stop", "skip"]
"""What a bad row does: ends the run, or is left out, counted and listed in the notes."""

BAD_ROWS = "bad row"
"""What `Dataset.left_out` calls rows that were skipped."""

_MAX_LISTED = 5


class BadRows:
    """The bad rows of one file. Rows are added as they are found, and settled block by block.

    Attributes:
        count: How many were left out so far.

    Args:
        source: The file, for messages.
        on_bad_rows: What a bad row does.
    """

    def __init__(self, source: SourceFile, on_bad_rows: OnBadRows) -> None:
        self.source = source
        self.count = 0
        self._stop = on_bad_rows == "stop"
        self._pending: list[tuple[int, str | None, str, str]] = []
        self._messages: list[str] = []
        self._first_location = ""

    def add(self, line: int, value: str, reason: str, column: str | None = None) -> None:
        """Notes a row.

        Args:
            line: Where the row begins in the file, from 1.
            value: What stands there.
            reason: Follows the value in messages, for example "is not a number".
            column: The column's name, or None where the row as a whole is bad.
        """
        self._pending.append((line, column, value, reason))

    def add_all(
        self, lines: pl.Series, values: pl.Series, reason: str, column: str | None = None
    ) -> None:
        """Notes one row for each value; `lines` is Int64 [n], `values` String [n]."""
        for line, value in zip(lines, values, strict=True):
            self.add(line, value, reason, column)

    def raise_or_skip(self) -> None:
        """Ends a block of rows; to be called before its good rows are used.

        Raises:
            UserError: There is a bad row and bad rows stop the run.
        """
        if not self._pending:
            return
        self._pending.sort(key=lambda row: row[0])
        line, column, value, reason = self._pending[0]
        if self._stop:
            raise UserError(
                _describe(value, reason, column),
                where=self.location(line, column),
                hint="Correct the file, or skip bad rows (--on-bad-rows skip): they are "
                "counted and listed.",
            )
        self._first_location = self._first_location or self.location(line, column)
        self.count += len({row[0] for row in self._pending})
        for line, column, value, reason in self._pending[: _MAX_LISTED - len(self._messages)]:
            place = f"line {line}" + (f', column "{column}"' if column else "")
            self._messages.append(f"{place}: {_describe(value, reason, column)}")
        self._pending.clear()

    def finish(self, good_rows: int) -> tuple[str, ...]:
        """The note on what was left out, after the whole file.

        Args:
            good_rows: How many rows could be used.

        Raises:
            UserError: No row could be used.
        """
        if not good_rows:
            if not self.count:
                raise UserError(
                    "the table has no rows", where=str(self.source), hint="Give at least one row."
                )
            raise UserError(
                f"every row is bad; the first: {self._messages[0].partition(': ')[2]}",
                where=self._first_location,
                hint="Check the separator and the names of the columns.",
            )
        if not self.count:
            return ()
        rest = self.count - len(self._messages)
        more = f"; and {rest} more" if rest > 0 else ""
        rows = "row was" if self.count == 1 else "rows were"
        return (
            f"{self.count} bad {rows} skipped in {self.source.name}: "
            f"{'; '.join(self._messages)}{more}",
        )

    def counts_by_reason(self) -> dict[str, int]:
        """The count as `Dataset.left_out` has it."""
        return {BAD_ROWS: self.count} if self.count else {}

    def location(self, line: int, column: str | None = None) -> str:
        """A place in the file as messages name it: ``ratings.csv:17, column "rating"``."""
        return f"{self.source}:{line}" + (f', column "{column}"' if column else "")


def merge_counts_by_reason(files: Iterable[BadRows]) -> dict[str, int]:
    """What was left out of several files, by reason."""
    total: dict[str, int] = {}
    for bad in files:
        for reason, count in bad.counts_by_reason().items():
            total[reason] = total.get(reason, 0) + count
    return total


def _describe(value: str, reason: str, column: str | None) -> str:
    shown = repr(value if len(value) <= 60 else value[:60] + "…")
    if column:
        return f"{shown} {reason}"
    return f"the row {shown} {reason}" if value else f"the row {reason}"

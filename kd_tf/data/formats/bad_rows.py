"""Collects the rows of a file that cannot be used, and either stops or skips and counts them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import polars as pl

from kd_tf.errors import UserError

OnBadRows = Literal["stop", "skip"]
"""What to do with a bad row: raise `UserError`, or skip it, count it and list it in the notes."""

BAD_ROWS = "bad row"
"""The key of skipped rows in `Dataset.dropped_rows`."""

_MAX_LISTED = 5


class RowSource(Protocol):
    """What rows come from: a file, or a frame in memory."""

    @property
    def name(self) -> str:
        """Its name in notes."""

    def locate(self, line: int, column: str | None = None) -> str:
        """Formats a place for messages."""

    def format_line(self, line: int) -> str:
        """Formats a line for messages that name the file or frame already."""


class BadRows:
    """The bad rows of one file.

    Rows that are passed over for a known reason, such as a repeated header, are counted apart; they
    never stop.

    A parser adds the bad rows of a block with `add` or `add_all` and then calls `raise_or_skip`
    before it uses the good rows of that block. After the last block it calls `finish`.

    Args:
        source: The file or frame, for messages.
        on_bad_rows: "stop" raises at the first bad row, "skip" skips and counts bad rows.

    Attributes:
        source: The file.
        count: The number of rows skipped so far.

    Example:
        >>> from pathlib import Path
        >>> from kd_tf.data.formats.files import SourceFile
        >>> bad_rows = BadRows(SourceFile(Path("ratings.csv")), "skip")
        >>> bad_rows.add(3, "five", "is not a number", column="rating")
        >>> bad_rows.raise_or_skip()
        >>> print(*bad_rows.finish(good_rows=10))
        1 bad row was skipped in ratings.csv: line 3, column "rating": 'five' is not a number
        >>> bad_rows.counts_by_reason()
        {'bad row': 1}
    """

    def __init__(self, source: RowSource, on_bad_rows: OnBadRows) -> None:
        self.source = source
        self.count = 0
        self._stop = on_bad_rows == "stop"
        self._passed_over: dict[str, int] = {}
        self._notes: list[str] = []
        self._pending: list[tuple[int, str | None, str, str]] = []
        self._messages: list[str] = []
        self._first_location = ""

    def add(self, line: int, value: str, reason: str, column: str | None = None) -> None:
        """Adds a bad row.

        Args:
            line: The line of the file where the row begins, from 1.
            value: The text that is wrong.
            reason: Follows the value in messages, for example "is not a number".
            column: The column's name, or None if the row as a whole is bad.
        """
        self._pending.append((line, column, value, reason))

    def add_all(
        self, lines: pl.Series, values: pl.Series, reason: str, column: str | None = None
    ) -> None:
        """Adds several bad rows that share a reason.

        Args:
            lines: Int64 [n], the line of each row, from 1.
            values: String [n], the text that is wrong in each row.
            reason: Follows the values in messages.
            column: The column's name, or None if the rows as a whole are bad.
        """
        for line, value in zip(lines, values, strict=True):
            self.add(line, value, reason, column)

    def pass_over(self, reason: str, rows: int) -> None:
        """Counts rows that are left out and that are not bad.

        Args:
            reason: What they are, for example "repeated header".
            rows: Their number.
        """
        if rows:
            self._passed_over[reason] = self._passed_over.get(reason, 0) + rows

    def add_note(self, note: str) -> None:
        """Adds a note on how the file is read; the same is added once."""
        if note not in self._notes:
            self._notes.append(note)

    def raise_or_skip(self) -> None:
        """Handles the bad rows of the current block: raises, or counts them as skipped.

        Call it before the good rows of the block are used.

        Raises:
            UserError: There is a bad row and `on_bad_rows` is "stop".
        """
        if not self._pending:
            return
        self._pending.sort(key=lambda row: row[0])
        line, column, value, reason = self._pending[0]
        if self._stop:
            raise UserError(
                _describe(value, reason, column),
                where=self.source.locate(line, column),
                hint="Correct the file, or skip and count bad rows: --on-bad-rows skip.",
            )
        self._first_location = self._first_location or self.source.locate(line, column)
        self.count += len({row[0] for row in self._pending})
        for line, column, value, reason in self._pending[: _MAX_LISTED - len(self._messages)]:
            position = self.source.format_line(line) + (f', column "{column}"' if column else "")
            self._messages.append(f"{position}: {_describe(value, reason, column)}")
        self._pending.clear()

    def finish(self, good_rows: int) -> tuple[str, ...]:
        """Returns the notes on the file and on its skipped rows after it was read as a whole.

        Args:
            good_rows: The number of rows that could be used.

        Returns:
            The notes added, and one on the rows that were skipped, if any.

        Raises:
            UserError: No row could be used.
        """
        if not good_rows:
            if not self.count:
                why = "".join(
                    f"; {rows} left out: {reason}" for reason, rows in self._passed_over.items()
                )
                raise UserError(
                    f"the table has no rows{why}",
                    where=self.source.locate(1),
                    hint="Give a table with at least one row.",
                )
            raise UserError(
                f"every row is bad; the first: {self._messages[0].partition(': ')[2]}",
                where=self._first_location,
                hint="If the rows look right, the format or a column was taken for another: see "
                "docs/how-to/your-own-files.md.",
            )
        if not self.count:
            return tuple(self._notes)
        num_unlisted = self.count - len(self._messages)
        more = f"; and {num_unlisted} more" if num_unlisted > 0 else ""
        rows = "row was" if self.count == 1 else "rows were"
        return (
            *self._notes,
            f"{self.count} bad {rows} skipped in {self.source.name}: "
            f"{'; '.join(self._messages)}{more}",
        )

    def counts_by_reason(self) -> dict[str, int]:
        """Returns the number of skipped rows in the form of `Dataset.dropped_rows`."""
        bad_rows = {BAD_ROWS: self.count} if self.count else {}
        return {**bad_rows, **self._passed_over}


def merge_counts_by_reason(files: Iterable[BadRows]) -> dict[str, int]:
    """Sums the numbers of skipped rows of several files, by reason."""
    total: dict[str, int] = {}
    for bad_rows in files:
        for reason, count in bad_rows.counts_by_reason().items():
            total[reason] = total.get(reason, 0) + count
    return total


def _describe(value: str, reason: str, column: str | None) -> str:
    """Formats a bad value (at most 60 characters of it) and the reason for a message."""
    shown_value = repr(value if len(value) <= 60 else value[:60] + "…")
    if column:
        return f"{shown_value} {reason}"
    return f"the row {shown_value} {reason}" if value else f"the row {reason}"

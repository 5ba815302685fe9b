"""A reading list: which books a user has read, is reading, wants to read or has abandoned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kd_tf.errors import UserError
from kd_tf.runtime.reading_lists.formats import ReadingListFormat
from kd_tf.runtime.reading_lists.statuses import Status

RefusalReason = Literal[
    "unreadable",
    "too-large",
    "encoding",
    "unclosed-quote",
    "damaged-backup",
    "no-title-column",
    "no-rows",
]


class ReadingListError(UserError):
    """A file that is not read as a reading list.

    Args:
        reason: The reason as the page and the app name it.
        what, where, hint: As for `UserError`.
    """

    def __init__(
        self, reason: RefusalReason, what: str, *, where: str, hint: str | None = None
    ) -> None:
        self.reason = reason
        super().__init__(what, where=where, hint=hint)


@dataclass(frozen=True, slots=True)
class ReadingListEntry:
    """A book of a reading list.

    Attributes:
        line: Line of the file in which the row begins; of a backup, the number of the book.
        title: As in the file.
        author: The first author, as in the file.
        authors: All authors, separated by commas or other signs.
        isbns: Valid ISBNs with 13 digits, in the order in which they are tried.
        status: What the user did with the book.
        is_assumed: Whether nothing in the row says that it was read, nor that it was not.
        rating: From 0 to 5; None if the user gave none.
        date: When it was read, or else added: a number that is larger for a later date. 0 if
            unknown.
    """

    line: int
    title: str
    author: str
    authors: str
    isbns: tuple[str, ...]
    status: Status
    is_assumed: bool
    rating: float | None
    date: int


@dataclass(frozen=True)
class ReadingList:
    """A file of a reading service.

    Attributes:
        path: The file.
        format: Which service wrote it.
        entries: One for each book, in the order of the file.
        unclear_dates: Line and text of what stands in place of the date of a book that was read,
            but is no date, or one like 03/10/2023 where no other date of the file tells whether
            days or months come first.
    """

    path: str
    format: ReadingListFormat
    entries: list[ReadingListEntry]
    unclear_dates: list[tuple[int, str]]

    def count(self, status: Status) -> int:
        """Counts the books with a status."""
        return sum(entry.status == status for entry in self.entries)
